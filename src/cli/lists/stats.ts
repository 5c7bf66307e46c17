/** `turnkeep stats`: what became of turns, summed up by the gateway, on stdout. */
import { z } from 'zod';
import { printable } from '../chat/screen.ts';
import { openGateway, readAnswer, withGatewayErrors } from '../gateway/open.ts';
import type { StatsFlags } from './command.ts';
import { given } from './run.ts';

const amountSchema = z.object({
  requests: z.number(),
  input_tokens: z.number(),
  cached_tokens: z.number(),
  output_tokens: z.number(),
  cost_usd: z.number(),
});
const ofModelSchema = z.object({ model: z.string().nullable(), turns: z.number(), spent: amountSchema, lost: amountSchema });
const statsSchema = z.object({
  since: z.string().nullable(),
  until: z.string().nullable(),
  complete: z.boolean(),
  turns: z.number(),
  ends: z.array(z.object({ status: z.string(), code: z.string().nullable(), turns: z.number() })),
  first_token_ms: z.object({ turns: z.number(), p50: z.number().nullable(), p90: z.number().nullable(), p99: z.number().nullable() }),
  retries: z.object({ requests: z.number(), turns_saved: z.number() }),
  spent: amountSchema,
  lost: amountSchema.extend({ uncounted_requests: z.number() }),
  models: z.array(ofModelSchema),
  other_models: ofModelSchema.extend({ names: z.number() }).optional(),
});

type Stats = z.infer<typeof statsSchema>;
type Amount = z.infer<typeof amountSchema>;

/** @throws {GatewayError} when no gateway answers, or it refuses the key or a flag; {ConfigError} when its address is none */
export async function printStats({ json, url, apiKey, dataDir, ...filter }: StatsFlags): Promise<void> {
  const client = openGateway({ ...given({ url, apiKey, dataDir }) });
  const query = new URLSearchParams(given(filter)).toString();
  const lines = await withGatewayErrors(client, async () => {
    const answer = await client.json('GET', `/stats${query === '' ? '' : `?${query}`}`);
    const stats = readAnswer(statsSchema, answer, client);
    return json === true ? [JSON.stringify(answer)] : statsText(stats);
  });
  process.stdout.write(`${lines.join('\n')}\n`);
}

export function statsText(stats: Stats): string[] {
  const { turns, since, until, complete, ends, first_token_ms: first, retries, spent, lost, models, other_models: others } = stats;
  const when = `${since === null ? '' : ` since ${since}`}${until === null ? '' : ` until ${until}`}`;
  const uncounted = lost.uncounted_requests === 0 ? '' : `, and of ${count(lost.uncounted_requests, 'request')} nobody knows`;
  const named = models.map((each) => ({ ...each, name: each.model === null ? '?' : printable(each.model) }));
  const rows = [...named, ...(others === undefined ? [] : [{ ...others, name: `${others.names} others` }])];
  return [
    `${count(turns, 'turn')}${when}${complete ? '' : ': those before it are not counted, there are too many'}`,
    ...table(ends.map(({ status, code, turns: ended }) => [code === null ? status : `${status}: ${code}`, whole(ended)])),
    `first token  ${first.turns === 0 ? 'none' : `p50 ${seconds(first.p50)}, p90 ${seconds(first.p90)}, p99 ${seconds(first.p99)}`}`,
    `retries      ${count(retries.requests, 'request')} made again, ${count(retries.turns_saved, 'turn')} saved by them`,
    `spent        ${amountWords(spent)}`,
    `lost         ${amountWords(lost)}${uncounted}`,
    ...(rows.length === 0 ? [] : ['']),
    ...table([
      ...(rows.length === 0 ? [] : [['model', 'turns', 'requests', 'in', 'cached', 'out', 'cost', 'lost']]),
      ...rows.map(({ name, turns: asked, spent: all, lost: gone }) => [name, whole(asked), ...cellsOf(all), money(gone.cost_usd)]),
    ]),
  ];
}

function amountWords({ requests, input_tokens: input, cached_tokens: cached, output_tokens: output, cost_usd: cost }: Amount): string {
  return `${count(requests, 'request')}: ${whole(input)} tokens in (${whole(cached)} cached), ${whole(output)} out, ${money(cost)}`;
}

function cellsOf({ requests, input_tokens: input, cached_tokens: cached, output_tokens: output, cost_usd: cost }: Amount): string[] {
  return [...[requests, input, cached, output].map(whole), money(cost)];
}

/** The first column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? `  ${cell.padEnd(widths[column] ?? 0)}` : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function count(amount: number, noun: string): string {
  return `${whole(amount)} ${noun}${amount === 1 ? '' : 's'}`;
}

function whole(amount: number): string {
  return amount.toLocaleString('en-US');
}

function money(dollars: number): string {
  return `$${dollars.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: dollars < 1 ? 4 : 2 })}`;
}

function seconds(ms: number | null): string {
  return ms === null ? '?' : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 0)} s`;
}
