/** The dashboard and the list of metrics against what `/metrics` serves: neither names what is not there, nor leaves out what is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Metrics } from '../../src/metrics/metrics.ts';

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

/** Added by Prometheus when it scrapes. */
const scraped = ['job', 'instance'];

/** Every series that a query may name, with its labels: each kind of thing has happened once. */
async function served(): Promise<Map<string, ReadonlySet<string>>> {
  const metrics = new Metrics();
  const usage = {
    input_tokens: 1,
    output_tokens: 1,
    total_tokens: 2,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  };
  metrics.turns.accepted();
  metrics.turns.reattached('worker');
  metrics.turns.ended({ status: 'completed', code: null });
  metrics.turns.attemptEnded(
    { outcome: 'failed', code: 'provider_busy', waitMs: 1, usage, spent: { outputTokens: 1, costUsd: 0.5 } },
    'scripted',
  );
  metrics.turns.timed({ model: 'scripted', outcome: 'completed', durationMs: 1, firstTokenMs: 1 });
  metrics.webhookReported({ status: 'pending' });
  const request = { requestId: 'r', method: 'GET', route: '/', status: 200, durationMs: 1 };
  metrics.requestEnded({ ...request, isStream: false, isCut: false });
  const series = new Map<string, ReadonlySet<string>>();
  for (const line of (await metrics.text()).split('\n')) {
    const [, name, labels = ''] = /^([a-z]\w*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const names = [...labels.matchAll(/(\w+)="[^"]*"/g)].map(([, label = '']) => label);
    series.set(name, new Set([...(series.get(name) ?? []), ...names, ...scraped]));
  }
  return series;
}

/** The names of series in a query, and the labels that go with them: in braces, behind `by`, in the legend. */
function readQuery(expr: string, legend = ''): { readonly names: readonly string[]; readonly labels: readonly string[] } {
  const names = [...expr.matchAll(/\b(?:turnkeep|nodejs|process)_\w+/g)].map(([name]) => name);
  const matchers = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) => [...inner.matchAll(/(\w+)=~?"/g)]);
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inner = '']) => inner.split(', '));
  const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)];
  return { names, labels: [...grouped, ...[...matchers, ...shown].map(([, label = '']) => label)] };
}

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
