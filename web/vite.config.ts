import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const DIST = fileURLToPath(new URL('./dist/', import.meta.url));
/** What a browser loads before it shows anything, compressed. Terminals, the editor, screens and live pages come on demand. */
const FIRST_LOAD_BYTES = 300_000;

const src = (folder: string) => fileURLToPath(new URL(`./src/${folder}`, import.meta.url));

/** Leaves `name.br` beside each text file: the server hands it over as it is. */
function precompressed(): Plugin {
  return {
    name: 'precompressed',
    apply: 'build',
    closeBundle() {
      for (const name of readdirSync(DIST, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(?:html|js|css|svg)$/.test(name)) continue;
        const bytes = readFileSync(DIST + name);
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
        writeFileSync(`${DIST}${name}.br`, brotliCompressSync(bytes, { params }));
      }
    },
  };
}

/** A first load that grew beyond its limit is no build. */
function weighed(): Plugin {
  return {
    name: 'weighed',
    apply: 'build',
    closeBundle() {
      const named = readFileSync(`${DIST}index.html`, 'utf8').matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g);
      const weights = ['index.html', ...Array.from(named, ([, name]) => name!)].map((name) => ({ name, bytes: gzipSync(readFileSync(DIST + name)).length }));
      const total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
      if (!weights.some(({ name }) => name.endsWith('.css')) || weights.length < 4) this.error('the first load cannot be told from index.html');
      const heaviest = weights.toSorted((one, other) => other.bytes - one.bytes).slice(0, 3).map(({ name, bytes }) => `${name} ${bytes}`);
      if (total > FIRST_LOAD_BYTES) this.error(`the first load has ${total} bytes, ${FIRST_LOAD_BYTES} are allowed: ${heaviest.join(', ')}`);
      this.info(`first load: ${total} bytes compressed, of ${FIRST_LOAD_BYTES}`);
    },
  };
}

export default defineConfig({
  plugins: [svelte(), precompressed(), weighed()],
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
