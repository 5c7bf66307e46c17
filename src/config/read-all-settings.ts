/** What a command is started with: the environment and its flags, and `turnkeep.config.ts`, whatever is wrong with either. */
import { type Config, ConfigError } from './config.ts';
import type { LoadedAgents } from './load-agent-config.ts';
import { configPathOf, readConfig, type Sources } from './read-config.ts';

export interface AllSettings {
  readonly config: Config;
  /** undefined: there is no file, and none is named. */
  readonly agents: LoadedAgents | undefined;
}

/**
 * The file is loaded, and so run, also where the environment is wrong: its mistakes are told with those.
 * @throws {ConfigError} that lists everything that is wrong, of the environment first
 */
export async function readAllSettings(sources: Sources): Promise<AllSettings> {
  const { loadAgentConfig } = await import('./load-agent-config.ts');
  const cwd = sources.cwd ?? process.cwd();
  const [config, agents] = await Promise.allSettled([
    (async () => readConfig(sources))(),
    loadAgentConfig({ path: configPathOf({ ...sources, cwd }), cwd }),
  ]);
  if (config.status === 'fulfilled' && agents.status === 'fulfilled') return { config: config.value, agents: agents.value };
  throw new ConfigError([...problemsOf(config), ...problemsOf(agents)]);
}

/** @throws the reason itself, where it is none of whoever wrote the settings */
function problemsOf(result: PromiseSettledResult<unknown>): readonly string[] {
  if (result.status === 'fulfilled') return [];
  if (!(result.reason instanceof ConfigError)) throw result.reason;
  return result.reason.problems;
}
