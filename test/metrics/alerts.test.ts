/** What docs/operations.md says of alerts and of doctor, against the rules of Prometheus, what `/metrics` serves, and what doctor finds. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { readQuery, served } from './served.ts';

const root = join(import.meta.dirname, '../..');
const operations = readFileSync(join(root, 'docs/operations.md'), 'utf8');
const rows = [...operations.slice(operations.indexOf('## When it goes wrong')).matchAll(/^\| (.+?)\s*\| (.+?)\s*\|$/gm)]
  .map(([, alert = '', cause = '']) => ({ alert, cause }))
  .slice(2);

const rules = z
  .object({ groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })) })
  .parse(parse(readFileSync(join(root, 'deploy/prometheus/alerts.yml'), 'utf8')))
  .groups.flatMap((group) => group.rules);

test('docs/operations.md has a way out for every alert, and names no other ones', () => {
  assert.ok(rows.length > 20, `${rows.length} rows`);
  const named = rows.flatMap(({ alert }) => [...alert.matchAll(/`([A-Z]\w+)`/g)].map(([, name = '']) => name));
  assert.deepEqual([...new Set(named)].toSorted(), rules.map(({ alert }) => alert).toSorted());
});

test('every alert asks for series and labels that there are', async () => {
  const series = await served();
  for (const { alert, expr } of rules) {
    const { names, labels } = readQuery(expr);
    // That of Prometheus itself, of every target.
    const own = expr.startsWith('up{') ? ['up'] : [];
    assert.ok(names.length + own.length > 0, `${alert}: ${expr}`);
    for (const name of names) {
      assert.ok(series.has(name), `${alert}: there is no ${name}`);
      for (const label of labels) assert.ok(series.get(name)?.has(label), `${alert}: ${name} has no label ${label}`);
    }
  }
});

test('what docs/operations.md says of doctor are things that doctor looks at', () => {
  const named = rows.flatMap(({ alert }) => /doctor: ([a-z, ]+)/.exec(alert)?.[1]?.split(', ') ?? []);
  assert.ok(named.length > 15, named.join(', '));
  const sources = globSync(['src/cli/doctor/*.ts', 'src/store/*/diagnose*.ts'], { cwd: root }).map((file) =>
    readFileSync(join(root, file), 'utf8'),
  );
  const checks = new Set(sources.flatMap((text) => [...text.matchAll(/\bcheck(?: =|:) '([a-z ]+)'/g)].map(([, check = '']) => check)));
  checks.add('provider');
  assert.deepEqual(
    named.filter((check) => !checks.has(check)),
    [],
  );
});
