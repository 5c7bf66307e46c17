/** The workflow code for `turnkeep debug`: with names of modules that a debugger finds the files by, and with the states told. */
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BundleOptions } from '@temporalio/worker';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const observedPath = fileURLToPath(new URL(`./observed-state.${extension}`, import.meta.url));
const statePath = fileURLToPath(new URL(`../../domain/turn/turn-state.${extension}`, import.meta.url));

export const debugProcessPath = fileURLToPath(new URL(`./debug-process.${extension}`, import.meta.url));

/** Whoever imports the states gets those that are observed; they themselves import the real ones. */
export const observeStates: NonNullable<BundleOptions['webpackConfigHook']> = (config) => ({
  ...config,
  plugins: [
    ...(config.plugins ?? []),
    (compiler) => {
      compiler.hooks.normalModuleFactory.tap('turnkeep debug', (factory) => {
        factory.hooks.beforeResolve.tap('turnkeep debug', (module) => {
          const { request, context, contextInfo } = module;
          const path = isAbsolute(request) ? request : resolve(context, request);
          if (path === statePath && contextInfo.issuer !== observedPath) module.request = observedPath;
        });
      });
    },
  ],
});

/** @param step the code stops where it begins to decide about this one; undefined: where it begins */
export function breakAt(code: string, step: number | undefined): string {
  if (step === undefined) return code;
  // Before the source map, which names the lines above it.
  const end = code.lastIndexOf('//# sourceMappingURL=');
  return `${code.slice(0, end)}globalThis.__TURNKEEP_DEBUG_AT__ = ${step};\n${code.slice(end)}`;
}
