/**
 * `npm run build`: puts the workflow bundles, with codec keys and without, into the package, where its code looks for them.
 *
 *     node scripts/ship-bundles.ts [FOLDER]      of the built code, dist by default
 */
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { bundleWorkflows as Bundle } from '../src/roles/workflow-bundle.ts';

const dist = resolve(process.argv[2] ?? join(import.meta.dirname, '../dist'));
const folder = join(dist, 'workflow-bundles');
rmSync(folder, { recursive: true, force: true });

// The built code: its bundles are of the JavaScript that is published, and so is their name.
const module = pathToFileURL(join(dist, 'roles/workflow-bundle.js')).href;
const { bundleWorkflows } = (await import(module)) as { readonly bundleWorkflows: typeof Bundle };
await bundleWorkflows({ codecKeys: [] }, { cacheFolder: folder });
await bundleWorkflows({ codecKeys: [{ id: 'any', key: new Uint8Array(32) }] }, { cacheFolder: folder });

// A cache is its owner's alone; an image copies this as it is, for another user.
chmodSync(folder, 0o755);
for (const file of readdirSync(folder)) chmodSync(join(folder, file), 0o644);
