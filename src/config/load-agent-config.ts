/** Finds `turnkeep.config.ts` and loads it, by Node as it is: types are stripped, nothing is compiled. */
import { existsSync, statSync } from 'node:fs';
import { registerHooks, type ResolveHookSync } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type AgentConfig, readAgentConfig } from './agent-config.ts';
import { ConfigError } from './config.ts';
import { configMark, type DefinedConfig } from './define-config.ts';

/** In the working directory, where no setting names a file: the first that is there. */
const usualNames = ['turnkeep.config.ts', 'turnkeep.config.mts', 'turnkeep.config.mjs', 'turnkeep.config.js'];

export interface LoadedAgents {
  readonly agents: AgentConfig;
  /** Absolute. */
  readonly path: string;
}

/**
 * The agents of `turnkeep.config.ts`.
 *
 * @param options.path of the file, absolute: a file that is named must be there. Unset: one of the usual names in `cwd`
 * @returns undefined where no file is named, and none is there
 * @throws {ConfigError} with what is wrong with the file, or everything that is wrong in it
 * @example
 *     import { loadAgentConfig, readConfig } from 'turnkeep/config';
 *
 *     const { configPath } = readConfig({ env: process.env });
 *     const loaded = await loadAgentConfig({ path: configPath });
 *     console.log([...(loaded?.agents.agents.keys() ?? [])]);
 */
export async function loadAgentConfig({
  path: named,
  cwd = process.cwd(),
}: { readonly path?: string | undefined; readonly cwd?: string } = {}): Promise<LoadedAgents | undefined> {
  const path = named ?? usualNames.map((name) => join(cwd, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new ConfigError([`TURNKEEP_CONFIG (--config) names ${path}, which is ${existsSync(path) ? 'no file' : 'not there'}`]);
  }
  const file = nameOf(path, cwd);
  const module = await importFile(path, file, cwd);
  if (!('default' in module)) {
    throw new ConfigError([`${file}: has no default export; end it with \`export default defineConfig({ … })\``]);
  }
  if (!isDefined(module.default)) {
    throw new ConfigError([`${file}: its default export is not made by defineConfig; \`import { defineConfig } from 'turnkeep/config'\``]);
  }
  try {
    return { agents: readAgentConfig(module.default), path };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.problems.map((problem) => `${file}: ${problem}`));
  }
}

function isDefined(value: unknown): value is DefinedConfig {
  return typeof value === 'object' && value !== null && configMark in value;
}

/** As its author would write it. */
function nameOf(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}

async function importFile(path: string, file: string, cwd: string): Promise<object> {
  const hooks = registerHooks({ resolve: resolveOrLend });
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    throw new ConfigError([`${file}: ${reasonOf(error, cwd)}`]);
  } finally {
    hooks.deregister();
  }
}

/**
 * What a configuration cannot do without, lent where the file's own folder has none of it: beside a turnkeep that is installed
 * globally, by npx, or in an image, there is often no package at all. The extension is that of this file.
 */
const lent: ReadonlyMap<string, string> = new Map([
  ['turnkeep/config', new URL(import.meta.url.endsWith('.ts') ? '../config.ts' : '../config.js', import.meta.url).href],
  ['zod', import.meta.resolve('zod')],
]);

const resolveOrLend: ResolveHookSync = (specifier, context, next) => {
  try {
    return next(specifier, context);
  } catch (error) {
    const url = lent.get(specifier);
    if (url === undefined) throw error;
    return { url, shortCircuit: true };
  }
};

/** In the words of whoever wrote the file: what Node says, where, and the way out where there is one. */
function reasonOf(error: unknown, cwd: string): string {
  if (!(error instanceof Error)) return `throws ${String(error)}`;
  const { code } = error as NodeJS.ErrnoException;
  const place = placeOf(error, cwd);
  if (code === 'ERR_MODULE_NOT_FOUND') {
    const [, kind, name = ''] = /^Cannot find (package|module) '([^']+)'/.exec(error.message) ?? [];
    const missing = JSON.stringify(name.startsWith('/') ? nameOf(name, cwd) : name);
    return `imports ${missing}, which is not there${kind === 'package' ? `; \`npm install ${name}\` beside it` : ''}`;
  }
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return `${error.message}${place}: Node strips types and compiles nothing; write it without`;
  }
  if (error instanceof SyntaxError) return `has a syntax error${place}: ${error.message}`;
  return `throws ${error.name}${place}: ${error.message}`;
}

/** The first line of a file in an error's stack, or above it. */
function placeOf({ stack = '' }: Error, cwd: string): string {
  const [, url, path, line] = /(?:(file:\/\/[^\s)]+?)|^(\/[^\n]+?)):(\d+)(?::\d+)?\)?$/m.exec(stack) ?? [];
  if (url === undefined && path === undefined) return '';
  return ` at ${nameOf(path ?? fileURLToPath(url ?? ''), cwd)}:${line}`;
}
