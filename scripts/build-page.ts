/**
 * Builds the page at `/` and compresses its files.
 *
 *     node scripts/build-page.ts [FOLDER]      dist/web by default
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { build } from 'vite';

const root = join(import.meta.dirname, '..');
const folder = resolve(process.argv[2] ?? join(root, 'dist/web'));

await build({
  configFile: false,
  root: join(root, 'src/web'),
  plugins: [react()],
  logLevel: 'warn',
  build: {
    outDir: folder,
    emptyOutDir: true,
    target: 'es2023',
    // Browsers that know modules of this target preload by themselves; data URLs are kept out of stylesheets.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
  },
});

for (const file of globSync(`${folder}/**/*.{html,js,css,svg}`)) {
  const bytes = readFileSync(file);
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }));
}
