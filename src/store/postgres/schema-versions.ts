/** What is read of a database without a store: its tables against those of this version, and which codec key is in use. */
import pg from 'pg';
import { type CodecKeyMark, codecKeyMarkOf } from '../../domain/codec-key.ts';
import type { SchemaVersions } from '../ports/diagnosis.ts';
import { codecKey } from '../sql/keys.ts';
import { translateError } from './errors.ts';
import { migrations } from './migrations.ts';
import { clientConfig, type PostgresOptions, readPostgresOptions } from './options.ts';

/** Changes nothing. @throws `StoreBusyError` where it cannot be reached for now */
export async function readSchemaVersions(options: PostgresOptions): Promise<SchemaVersions> {
  return { current: Number((await readMeta(options, 'schema')) ?? 0), target: migrations.length };
}

/** Changes nothing. Null: no key is in use, or there are no tables yet. @throws `StoreBusyError` where it cannot be reached for now */
export async function readCodecKeyMark(options: PostgresOptions): Promise<CodecKeyMark | null> {
  const value = await readMeta(options, codecKey);
  return typeof value === 'string' ? codecKeyMarkOf(value) : null;
}

/** Undefined: it is not there, or there are no tables yet. */
async function readMeta(options: PostgresOptions, name: string): Promise<unknown> {
  const settings = readPostgresOptions(options);
  const client = new pg.Client(clientConfig(settings));
  client.on('error', () => undefined);
  try {
    await client.connect();
    const ask = async (sql: string): Promise<unknown> => (await client.query<{ value: unknown }>(sql)).rows[0]?.value;
    const isMade = (await ask(`SELECT to_regclass('${settings.schema}.meta') IS NOT NULL AS value`)) === 1;
    return isMade ? await ask(`SELECT value FROM ${settings.schema}.meta WHERE name = '${name}'`) : undefined;
  } catch (error) {
    throw translateError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
