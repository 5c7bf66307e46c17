/** What is done with the database of a process from outside of it, by its address: `turnkeep doctor` and `turnkeep migrate`. */
import type { Config } from '../config/config.ts';
import { sqlitePath } from '../config/setting-values.ts';
import type { CodecKeyMark } from '../domain/codec-key.ts';
import type { Diagnose, SchemaVersions } from '../store/ports/diagnosis.ts';
import { diagnosePostgres } from '../store/postgres/diagnose.ts';
import { migrate } from '../store/postgres/migrate.ts';
import type { PostgresOptions } from '../store/postgres/options.ts';
import { migrations } from '../store/postgres/migrations.ts';
import { readCodecKeyMark as readMarkOfPostgres, readSchemaVersions as readOfPostgres } from '../store/postgres/schema-versions.ts';
import { diagnoseSqlite } from '../store/sqlite/diagnose.ts';
import { migrateSqlite, readCodecKeyMark as readMarkOfSqlite, readSchemaVersions as readOfSqlite } from '../store/sqlite/migrate.ts';
import { serverOf } from './open-store.ts';

type DatabaseConfig = Pick<Config, 'databaseUrl' | 'postgres'>;

/** Without a password or a user. */
export function databaseName({ databaseUrl }: DatabaseConfig): string {
  return sqlitePath(databaseUrl) ?? serverOf(databaseUrl);
}

export function diagnoseDatabase(config: DatabaseConfig): Diagnose {
  const path = sqlitePath(config.databaseUrl);
  if (path !== undefined) return diagnoseSqlite(path);
  const { listenUrl } = config.postgres;
  const server = diagnosePostgres(directly(config));
  if (listenUrl === undefined) return server;
  // What a pooler lets through is the same database: only whether it lets anything through is of interest.
  const pooled = diagnosePostgres({ url: config.databaseUrl });
  return async () => {
    const [findings, throughPooler] = await Promise.all([server(), pooled()]);
    const [first] = throughPooler;
    return first === undefined ? findings : [...findings, { ...first, check: 'database pooler' }];
  };
}

/** @throws when the database cannot be read */
export async function readDatabaseVersions(config: DatabaseConfig): Promise<SchemaVersions> {
  const path = sqlitePath(config.databaseUrl);
  return path === undefined ? readOfPostgres(directly(config)) : readOfSqlite(path);
}

/** Null: none is in use. @throws when the database cannot be read */
export async function readCodecKeyInUse(config: DatabaseConfig): Promise<CodecKeyMark | null> {
  const path = sqlitePath(config.databaseUrl);
  return path === undefined ? readMarkOfPostgres(directly(config)) : readMarkOfSqlite(path);
}

/** @returns what they were before @throws when they cannot be brought to this version, or are of a newer one */
export async function migrateDatabase(config: DatabaseConfig): Promise<SchemaVersions> {
  const path = sqlitePath(config.databaseUrl);
  if (path !== undefined) return migrateSqlite(path);
  const { from } = await migrate(directly(config));
  return { current: from, target: migrations.length };
}

/** Past the pooler, where there is one. */
function directly({ databaseUrl, postgres: { listenUrl } }: DatabaseConfig): PostgresOptions {
  return listenUrl === undefined ? { url: databaseUrl } : { url: listenUrl, pgbouncer: false };
}
