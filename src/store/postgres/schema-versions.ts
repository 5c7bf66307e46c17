/** The tables of a database and those of this version: for `turnkeep migrate --check`. */
import pg from 'pg';
import type { SchemaVersions } from '../ports/diagnosis.ts';
import { translateError } from './errors.ts';
import { migrations } from './migrations.ts';
import { clientConfig, type PostgresOptions, readPostgresOptions } from './options.ts';

/** Changes nothing. @throws `StoreBusyError` where it cannot be reached for now */
export async function readSchemaVersions(options: PostgresOptions): Promise<SchemaVersions> {
  const settings = readPostgresOptions(options);
  const client = new pg.Client(clientConfig(settings));
  client.on('error', () => undefined);
  try {
    await client.connect();
    const ask = async (sql: string): Promise<unknown> => (await client.query<{ value: unknown }>(sql)).rows[0]?.value;
    const isMade = (await ask(`SELECT to_regclass('${settings.schema}.meta') IS NOT NULL AS value`)) === 1;
    const current = isMade ? Number(await ask(`SELECT value FROM ${settings.schema}.meta WHERE name = 'schema'`)) : 0;
    return { current, target: migrations.length };
  } catch (error) {
    throw translateError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
