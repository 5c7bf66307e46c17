/** The settings of `turnkeep codec-server`: of the table of all settings those that it reads. */
import { type Config, ConfigError } from './config.ts';
import { givenSettings, problemsOf } from './given-settings.ts';
import type { Sources } from './read-config.ts';
import { table } from './settings.ts';

export interface CodecServerConfig extends Pick<Config, 'host' | 'port' | 'codecKeys' | 'logLevel'> {
  /** Who may call, at least one; as `apiKeys`. */
  readonly callers: Config['apiKeys'];
  /** Exact origins of Temporal's UI. */
  readonly origins: readonly string[];
}

/** Not that of gateways: it may be the same machine. */
const defaultPort = '8485';

const read = table.pick({
  TURNKEEP_HOST: true,
  TURNKEEP_PORT: true,
  TURNKEEP_CODEC_KEYS: true,
  TURNKEEP_CODEC_SERVER_KEYS: true,
  TURNKEEP_CORS_ORIGINS: true,
  LOG_LEVEL: true,
});

/** @throws {ConfigError} that lists everything that is wrong */
export function readCodecServerConfig(sources: Pick<Sources, 'env' | 'flags'>): CodecServerConfig {
  const settings = givenSettings(sources);
  const { given, labels } = settings;
  const parsed = read.safeParse({ TURNKEEP_PORT: defaultPort, ...given });
  const problems = problemsOf(parsed.error, settings);
  if (given['TURNKEEP_CODEC_KEYS'] === undefined)
    problems.push('TURNKEEP_CODEC_KEYS is unset, so there is nothing to decrypt with: give it the keys of the workers');
  if (given['TURNKEEP_CODEC_SERVER_KEYS'] === undefined)
    problems.push(
      'TURNKEEP_CODEC_SERVER_KEYS is unset, so nobody may call: set it to name:secret,… (make a secret with `openssl rand -hex 32`)',
    );
  if (given['TURNKEEP_CORS_ORIGINS']?.trim() === '*')
    problems.push(
      `${labels['TURNKEEP_CORS_ORIGINS']} is *, which would let every page decrypt: name the origin of Temporal's UI (such as http://127.0.0.1:8233)`,
    );
  if (parsed.data === undefined || problems.length > 0) throw new ConfigError(problems);
  const { data } = parsed;
  return {
    host: data.TURNKEEP_HOST,
    port: data.TURNKEEP_PORT,
    codecKeys: data.TURNKEEP_CODEC_KEYS,
    callers: data.TURNKEEP_CODEC_SERVER_KEYS,
    origins: data.TURNKEEP_CORS_ORIGINS,
    ...(data.LOG_LEVEL === undefined ? {} : { logLevel: data.LOG_LEVEL }),
  };
}
