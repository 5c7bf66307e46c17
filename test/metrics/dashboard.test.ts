/** The dashboard and the list of metrics against what `/metrics` serves: neither names what is not there, nor leaves out what is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readQuery, served } from './served.ts';

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const docs = join(import.meta.dirname, '../../docs');
const dashboard = JSON.parse(readFileSync(join(docs, 'grafana/turnkeep.json'), 'utf8')) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

test('every query of the dashboard asks for series and labels that there are', async () => {
  const series = await served();
  assert.ok(queries.length >= 25);
  for (const { title, expr, legendFormat } of queries) {
    const { names, labels } = readQuery(expr, legendFormat);
    assert.ok(names.length > 0, `${title}: ${expr}`);
    for (const name of names) {
      assert.ok(series.has(name), `${title}: there is no ${name}`);
      for (const label of labels) assert.ok(series.get(name)?.has(label), `${title}: ${name} has no label ${label}`);
    }
  }
});

test('what a legend shows by a label is grouped by it, and a quantile by the bucket', () => {
  for (const { title, expr, legendFormat } of queries) {
    const grouped = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(', ');
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      assert.ok(grouped === undefined ? label === 'instance' : grouped.includes(label), `${title}: ${label}`);
    }
    if (expr.includes('histogram_quantile')) assert.ok(grouped?.includes('le') && expr.includes('_bucket'), title);
  }
});

test('the variables ask for a series that there is', async () => {
  const series = await served();
  for (const { name, definition } of dashboard.templating.list) {
    for (const asked of definition === undefined ? [] : readQuery(definition).names) assert.ok(series.has(asked), name);
  }
});

test('every metric of ours is on the dashboard and in the list of metrics, and the list has no others', async () => {
  const ours = [...(await served()).keys()]
    .filter((name) => name.startsWith('turnkeep_'))
    .map((name) => name.replace(/_(?:bucket|sum|count)$/, ''));
  const asked = new Set(queries.flatMap(({ expr }) => readQuery(expr).names.map((name) => name.replace(/_(?:bucket|sum|count)$/, ''))));
  const listed = [...readFileSync(join(docs, 'metrics.md'), 'utf8').matchAll(/^\| `(turnkeep_\w+)`/gm)].map(([, name]) => name);
  assert.deepEqual(
    [...new Set(ours)].filter((name) => !asked.has(name)),
    [],
  );
  assert.deepEqual(new Set(listed), new Set(ours));
});
