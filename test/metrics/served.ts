/** The series that `/metrics` serves, and those that a query asks for. */
import { Metrics } from '../../src/metrics/metrics.ts';

/** Added by Prometheus when it scrapes. */
const scraped = ['job', 'instance'];

/** Every series that a query may name, with its labels: each kind of thing has happened once. */
export async function served(): Promise<Map<string, ReadonlySet<string>>> {
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
  metrics.upkeepRead({ partitionDaysAhead: 7, defaultPartitionRows: 0, notificationQueueShare: 0 });
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
export function readQuery(expr: string, legend = ''): { readonly names: readonly string[]; readonly labels: readonly string[] } {
  const names = [...expr.matchAll(/\b(?:turnkeep|nodejs|process)_\w+/g)].map(([name]) => name);
  const matchers = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) => [...inner.matchAll(/(\w+)=~?"/g)]);
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inner = '']) => inner.split(', '));
  const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)];
  return { names, labels: [...grouped, ...[...matchers, ...shown].map(([, label = '']) => label)] };
}
