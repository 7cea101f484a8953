import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess({ style: false }),
  // Elements are made one by one: no innerHTML, so the page's policy can refuse every HTML sink.
  compilerOptions: { runes: true, fragments: 'tree' },
};
