/**
 * The workflow code as Temporal's sandbox runs it. To make it takes a bundler, a second and 100 MB that the process does not
 * give back: it is made once. The published package brings it, a checkout keeps it in a cache; its name says what it is made
 * of, and the same sources make the same bytes anywhere.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { failureConverterPath } from '../codec/data-converter.ts';
import type { Config } from '../config/config.ts';
import { isOwnFolder } from '../config/user-cache.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const code = fileURLToPath(new URL('../', import.meta.url));
/** In a checkout the sources are TypeScript, published they are JavaScript: the neighbours have our own extension. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** The module of our own workflows. */
export const ownWorkflowsPath = join(code, 'workflows', `index${extension}`);

/** What the bundler says is of no use to whoever runs a worker. */
export const silent: Logger = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** Of the package. There is none in a checkout. */
const shippedFolder = join(code, 'workflow-bundles');

/** What the bundle is made of, ours (`test/package/workflow-bundle.test.ts` looks) and the SDK's. */
const sourceFolders = ['codec', 'contract', 'domain', 'workflows'];
const sdkPackages = ['@temporalio/common', '@temporalio/worker', '@temporalio/workflow'];

/** Of older sources. Somebody who goes from branch to branch has one each. */
const keptBundles = 8;

/**
 * The workflow code for `startWorker` or for a replay. With codec keys it is another than without. Where it is neither in the
 * package nor in the cache it is made, which takes a second.
 *
 * @param cacheFolder where it is kept, and found again; one that others may write into is not used, and none is no error
 * @example
 *     import { readConfig } from 'turnkeep/config';
 *     import { bundleWorkflows } from 'turnkeep/worker';
 *
 *     const workflowBundle = await bundleWorkflows(readConfig({ env: process.env }));
 */
export async function bundleWorkflows(
  { codecKeys }: Pick<Config, 'codecKeys'>,
  { cacheFolder }: { readonly cacheFolder?: string | undefined } = {},
): Promise<WorkflowBundleWithSourceMap> {
  const isEncrypted = codecKeys.length > 0;
  const name = `workflows-${isEncrypted ? 'encrypted' : 'plain'}-${keyOfSources()}.js`;
  const cache = cacheFolder !== undefined && isOwnFolder(cacheFolder) ? cacheFolder : undefined;
  const kept = readKept(join(shippedFolder, name)) ?? (cache === undefined ? undefined : readKept(join(cache, name)));
  if (kept !== undefined) return { code: kept, sourceMap: '' };
  const made = await make(isEncrypted);
  if (cache !== undefined) keep(cache, name, made.code);
  return made;
}

async function make(isEncrypted: boolean): Promise<WorkflowBundleWithSourceMap> {
  const bundle = await bundleWorkflowCode({
    workflowsPath: ownWorkflowsPath,
    ...(isEncrypted ? { failureConverterPath } : {}),
    logger: silent,
    // Names in stack traces are then relative to the package, wherever it lies.
    webpackConfigHook: (config) => ({
      ...config,
      context: root,
      output: { ...config.output, devtoolModuleFilenameTemplate: '[resource-path]' },
    }),
  });
  return { ...bundle, code: withoutRoot(bundle.code) };
}

/** The SDK's entry of the bundle names its modules by absolute paths, in the code and in the source map. */
function withoutRoot(bundle: string): string {
  const at = bundle.lastIndexOf('base64,') + 'base64,'.length;
  const map = Buffer.from(bundle.slice(at), 'base64').toString();
  return bundle.slice(0, at).replaceAll(root, './') + Buffer.from(map.replaceAll(root, './')).toString('base64');
}

function keyOfSources(): string {
  const hash = createHash('sha256');
  const add = (part: string): unknown => hash.update(`${part.length} ${part}`);
  const require = createRequire(import.meta.url);
  for (const name of sdkPackages) add(`${name} ${(require(`${name}/package.json`) as { readonly version: string }).version}`);
  for (const folder of sourceFolders) {
    for (const file of readdirSync(join(code, folder), { recursive: true, encoding: 'utf8' }).toSorted()) {
      if (!file.endsWith(extension) || file.endsWith('.d.ts')) continue;
      add(`${folder}/${file}`);
      add(readFileSync(join(code, folder, file), 'utf8'));
    }
  }
  // How it is made counts as well.
  add(readFileSync(fileURLToPath(import.meta.url), 'utf8'));
  return hash.digest('hex').slice(0, 32);
}

/** A file is its content behind the content's hash: one that was cut or changed is not taken. */
function readKept(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    const end = text.indexOf('\n');
    const content = text.slice(end + 1);
    return text.slice(0, end) === `// sha256 ${sha256Of(content)}` ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Renamed into place: whoever reads it has the whole of it. */
function keep(folder: string, name: string, content: string): void {
  const unfinished = join(folder, `${name}.${randomUUID()}`);
  try {
    writeFileSync(unfinished, `// sha256 ${sha256Of(content)}\n${content}`, { mode: 0o600 });
    renameSync(unfinished, join(folder, name));
    const bundles = readdirSync(folder).filter((file) => file.startsWith('workflows-'));
    const byAge = bundles.map((file) => ({ file, at: statSync(join(folder, file)).mtimeMs })).toSorted((a, b) => b.at - a.at);
    for (const { file } of byAge.slice(keptBundles)) rmSync(join(folder, file), { force: true });
  } catch {
    // Such as a full disk. It is made again the next time.
    rmSync(unfinished, { force: true });
  }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
