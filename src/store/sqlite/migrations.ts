/** The steps from an empty file to today's tables. A change is a new entry: `PRAGMA user_version` counts them. */
import { migrationsFrom6 } from './migrations-from-6.ts';
import { migrationsTo5 } from './migrations-to-5.ts';

export const migrations: readonly string[] = [...migrationsTo5, ...migrationsFrom6];
