/**
 * `npm run sbom`: writes the bill of materials of what turnkeep ships with, in CycloneDX's form; `npm run build` puts it into the
 * package and the image.
 *
 *     node scripts/sbom.ts [FILE]      dist/sbom.cdx.json by default
 *
 * `npm sbom --omit=dev` leaves out each package that a development dependency needs too, most of them: so all are asked for,
 * and the lockfile says which are shipped. Without a time and a random number two builds of one commit make the same file.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { npm } from './npm.ts';

interface Bom {
  readonly metadata: { readonly component: { readonly 'bom-ref': string } };
  readonly components: readonly { readonly 'bom-ref': string; readonly properties: readonly { readonly name: string }[] }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Lock {
  readonly packages: {
    readonly [path: string]: { readonly name?: string; readonly version?: string; readonly dev?: true };
  };
}

const root = join(import.meta.dirname, '..');
const file = resolve(process.argv[2] ?? join(root, 'dist/sbom.cdx.json'));

const { code, stdout, stderr } = npm(['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'], root);
if (code !== 0) throw new Error(`npm sbom: ${stderr}`);
const { serialNumber: _random, ...bom } = JSON.parse(stdout) as Bom & { readonly serialNumber: string };

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
const shipped = new Set(
  Object.entries(packages).flatMap(([path, { name, version, dev }]) =>
    path === '' || dev === true ? [] : [`${name ?? path.replace(/^.*node_modules\//, '')}@${version}`],
  ),
);
const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly name: string };
const own = bom.metadata.component['bom-ref'];

mkdirSync(dirname(file), { recursive: true });
const { timestamp: _time, ...metadata } = bom.metadata as Bom['metadata'] & { readonly timestamp: string };
const written = {
  ...bom,
  metadata: { ...metadata, component: { ...metadata.component, name } },
  components: bom.components
    .filter((component) => shipped.has(component['bom-ref']))
    // Of two copies of one version npm describes one, which may be that of a development dependency.
    .map((component) => (component.properties.some(isDevelopment) ? { ...component, scope: 'required', properties: [] } : component)),
  dependencies: bom.dependencies
    .filter(({ ref }) => ref === own || shipped.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => shipped.has(each)) })),
};
writeFileSync(file, `${JSON.stringify(written, null, 1)}\n`);

function isDevelopment({ name: property }: { readonly name: string }): boolean {
  return property === 'cdx:npm:package:development';
}
