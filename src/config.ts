/**
 * `turnkeep/config`: the settings of a process, read from its environment, all wrong ones reported at once. The commands
 * read theirs the same way. Runs in Node; loads no native code.
 *
 * @example
 *     import { ConfigError, readConfig } from 'turnkeep/config';
 *
 *     try {
 *       const { host, port } = readConfig({ env: process.env });
 *       console.log(`http://${host}:${port}`);
 *     } catch (error) {
 *       if (error instanceof ConfigError) console.error(error.message);
 *     }
 */
export { type Config, ConfigError } from './config/config.ts';
export { readConfig, type Sources as ConfigSources } from './config/read-config.ts';
export { type Setting, settings } from './config/settings.ts';
