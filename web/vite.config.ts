import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const src = (folder: string) => fileURLToPath(new URL(`./src/${folder}`, import.meta.url));

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: { $lib: src('lib'), $parts: src('parts') } },
  build: {
    target: 'es2022',
    // No data: URLs: the content security policy allows files of our own only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/v1': process.env.SALLYPORT_SERVER ?? 'http://127.0.0.1:8443' } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
