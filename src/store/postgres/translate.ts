/**
 * Statements in SQLite's dialect as Postgres takes them. What the works of `store/sql` say differently there, and nothing else:
 *
 * | SQLite                       | Postgres                                                        |
 * |------------------------------|-----------------------------------------------------------------|
 * | `?`                          | `$1`, `$2`, …                                                   |
 * | `LIMIT ?`, -1: without one   | `LIMIT NULLIF($1::bigint, -1)`                                  |
 * | `INDEXED BY x`, `NOT INDEXED`| nothing: Postgres chooses by statistics                         |
 * | `CROSS JOIN x ON`            | `JOIN x ON`: SQLite takes the former for an order               |
 * | `json_each(?) [AS x]`        | `json_array_elements_text(json_clean($1)) AS x (value)`         |
 * | `x -> '$.a[0]'`              | `json_part(x, '{a,0}')`, see `migrations.ts`                    |
 * | `x ->> '$.a[0]'`             | `json_text(x, '{a,0}')`                                         |
 * | `json_valid(x)`              | `true`: of what cannot be read the two above are NULL           |
 * | `CAST(x AS BLOB)`            | `convert_to(x, 'UTF8')`                                         |
 * | `CAST(? AS TEXT)`            | with `COLLATE "C"`, as the columns have it                      |
 * | `call_id = ?`                | `md5(call_id) = md5($1)`: it may be too long for an index       |
 */
import { createHash } from 'node:crypto';

export interface Translation {
  readonly text: string;
  /** Of the prepared statement: the same for the same text in every process. Absent: it is not to be prepared. */
  readonly name?: string;
  /** Run outside of a transaction it would change nothing. */
  readonly isRead: boolean;
}

/**
 * Texts that are kept, and prepared on each connection. A program has some hundreds; more are made by texts with values in them,
 * which would fill the memory of the server.
 */
const mostKept = 2_000;

const kept = new Map<string, Translation>();

export function translate(sql: string): Translation {
  const known = kept.get(sql);
  if (known !== undefined) return known;
  const text = numbered(withoutDialect(sql));
  const isRead = /^\s*(?:SELECT|VALUES|WITH)\b/i.test(text) && !/\b(?:INSERT|UPDATE|DELETE|nextval|setval)\b/i.test(text);
  if (kept.size >= mostKept) return { text, isRead };
  const translation = { text, isRead, name: `turnkeep_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}` };
  kept.set(sql, translation);
  return translation;
}

function withoutDialect(sql: string): string {
  return sql
    .replaceAll(/\s+(?:INDEXED BY \w+|NOT INDEXED)\b/g, '')
    .replaceAll(/\bCROSS JOIN (\w+(?: AS \w+)?) ON\b/g, 'JOIN $1 ON')
    .replaceAll(/\bLIMIT \?/g, 'LIMIT NULLIF(CAST(? AS BIGINT), -1)')
    .replaceAll(
      /\bjson_each\(\?\)(?: AS (\w+))?/g,
      (_, name: string = 'each') => `json_array_elements_text(json_clean(?)) AS ${name} (value)`,
    )
    .replaceAll(/([\w.]+) (->>?) '\$([^']*)'/g, (_, value: string, arrow: string, path: string) => {
      return `${arrow === '->' ? 'json_part' : 'json_text'}(${value}, '{${keysOf(path).join(',')}}')`;
    })
    .replaceAll(/\bjson_valid\(\w+\)/g, 'true')
    .replaceAll(/\bCAST\(([\w.]+) AS BLOB\)/g, `convert_to($1, 'UTF8')`)
    .replaceAll(/\bCAST\(\? AS TEXT\)/g, 'CAST(? AS TEXT) COLLATE "C"')
    .replaceAll(/\bcall_id = \?/g, 'md5(call_id) = md5(CAST(? AS TEXT))');
}

/** `.content[0].text` as `content`, `0`, `text`. */
function keysOf(path: string): string[] {
  const keys = [...path.matchAll(/\.(\w+)|\[(\d+)\]/g)];
  if (keys.map(([key]) => key).join('') !== path) throw new Error(`the JSON path $${path} has a form that is not known here`);
  return keys.map(([, name, index]) => name ?? index ?? '');
}

/** Texts, quoted names and comments are left as they are. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll(/'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\?/g, (part) => {
    if (part !== '?') return part;
    count += 1;
    return `$${count}`;
  });
}
