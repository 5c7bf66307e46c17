/**
 * For an image: removes Temporal's native libraries of other platforms, 108 of the 138 MB of them.
 *
 *     node scripts/prune-native.ts [FOLDER]      that has `node_modules`, this checkout by default
 */
import { readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve, sep } from 'node:path';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const releases = join(root, 'node_modules/@temporalio/core-bridge/releases');

// The SDK's own choice, the C library included.
const { getPrebuiltPath } = createRequire(join(root, 'package.json'))('@temporalio/core-bridge/common') as {
  readonly getPrebuiltPath: () => string;
};
const needed = getPrebuiltPath();
if (!needed.startsWith(releases + sep)) throw new Error(`${needed} is not below ${releases}`);
for (const platform of readdirSync(releases)) {
  const folder = join(releases, platform);
  if (!needed.startsWith(folder + sep)) rmSync(folder, { recursive: true });
}
