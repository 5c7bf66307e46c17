/** The tools of a turn as they were: what the model was offered, what needed an approval, and what each call came to. Nothing is run. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { JsonObject } from '../../domain/item.ts';
import type { RecordedFunction } from '../../domain/turn/recording.ts';
import type { RecordedRun } from '../../store/recordings/decode.ts';
import type { ToolBox, ToolList, ToolResult, WorkerTool } from '../../tools/tool.ts';
import type { Bundle } from '../bundle.ts';
import { quietTurns } from './player.ts';

type RecordedCall = Bundle['calls'][number];

const noTime = { timeoutMs: 2_147_483_647 };

/** What a request offers, and which calls of its answer are asked about. */
export function offeredTools(bundle: Bundle, run: RecordedRun): ToolBox {
  const functions = run.entries.find((entry) => entry.type === 'asked')?.functions ?? [];
  const approvals = new Set(itemsOf(bundle, 'mcp_approval_request').map((item) => keyOf(item, textOf(item, 'arguments'))));
  const toolOf = ({ server_label: serverLabel, tool, parameters }: RecordedFunction, listed: JsonObject | undefined): WorkerTool => ({
    ...noTime,
    name: tool,
    serverLabel,
    description: listed === undefined ? '' : textOf(listed, 'description'),
    inputSchema: (listed?.['input_schema'] ?? parameters) as JsonObject,
    ...(listed?.['annotations'] == null ? {} : { annotations: listed['annotations'] as JsonObject }),
    attempts: 1,
    check: () => undefined,
    needsApproval: (args) => approvals.has(keyOf({ server_label: serverLabel, name: tool }, JSON.stringify(args))),
    run: async () => ({ type: 'error', message: '' }),
  });
  const shown = new Map<string, JsonObject>();
  const past = [...bundle.transcript.flatMap(({ items }) => items), ...bundle.input].filter(({ type }) => type === 'mcp_list_tools');
  for (const item of [...(past as unknown as readonly JsonObject[]), ...itemsOf(bundle, 'mcp_list_tools')]) {
    shown.set(textOf(item, 'server_label'), item);
  }
  const byServer = Map.groupBy(functions, ({ server_label: label }) => label);
  const labels = new Set([...byServer.keys(), ...itemsOf(bundle, 'mcp_list_tools').map((item) => textOf(item, 'server_label'))]);
  return boxOf(
    Array.from(labels, (serverLabel): ToolList => {
      const list = shown.get(serverLabel);
      const listed = new Map(((list?.['tools'] ?? []) as readonly JsonObject[]).map((tool) => [tool['name'], tool]));
      const tools = (byServer.get(serverLabel) ?? []).map((each) => toolOf(each, listed.get(each.tool)));
      return { serverLabel, tools, ...(typeof list?.['error'] === 'string' ? { error: list['error'] } : {}) };
    }),
  );
}

/** The calls of one round, each with what it came to, in the order in which that was. */
export class RecordedRound {
  readonly box: ToolBox;
  readonly #calls: readonly RecordedCall[];
  /** Places in the output, in the order in which their calls ended. */
  readonly #order: readonly number[];
  readonly #ended: ReadonlySet<number>;
  /** How often each was begun in this run of the turn. */
  readonly #runs: Map<number, number>;
  #hanging = 0;
  #news = 0;

  /** @param ended places of the calls that have their end in the journal that is being made @param runs over the rounds so far, by number */
  constructor(bundle: Bundle, step: number, { ended, runs }: { readonly ended: ReadonlySet<number>; readonly runs: Map<number, number> }) {
    this.#calls = bundle.calls.filter((call) => call.step === step);
    this.#ended = ended;
    this.#runs = runs;
    this.#order = bundle.journal
      .filter(({ type }) => type === 'response.mcp_call.completed' || type === 'response.mcp_call.failed')
      .map(({ data }) => (JSON.parse(data) as { readonly output_index: number }).output_index);
    const named = Map.groupBy(this.#calls, ({ server_label: label, name }) => `${label} ${name}`);
    const tools = Array.from(named.values(), (calls) => this.#toolOf(calls));
    const byServer = Map.groupBy(tools, ({ serverLabel }) => serverLabel);
    this.box = boxOf(Array.from(byServer, ([serverLabel, own]) => ({ serverLabel, tools: own })));
  }

  /** Are there calls whose process was lost, or whose turn ended before them? */
  get hasHanging(): boolean {
    return this.#hanging > 0;
  }

  /** Something was written: not all that is to come has come. */
  noteNews(): void {
    this.#news += 1;
  }

  /** Resolves once nothing comes any more by itself. */
  async quiet(): Promise<void> {
    for (let turns = 0, seen = this.#news; turns < quietTurns; turns += 1) {
      await nextTurnOfTheLoop();
      if (seen !== this.#news) turns = 0;
      seen = this.#news;
    }
  }

  /** Waits for the calls that ended before this one. Where the calls are others than they were, nobody waits for ever. */
  async callEnds(place: number): Promise<void> {
    const at = this.#order.indexOf(place);
    const before = this.#order.slice(0, Math.max(0, at));
    for (let turns = 0, seen = this.#news; turns < quietTurns && !before.every((each) => this.#ended.has(each)); turns += 1) {
      await nextTurnOfTheLoop();
      if (seen !== this.#news) turns = 0;
      seen = this.#news;
    }
  }

  #toolOf(calls: readonly RecordedCall[]): WorkerTool {
    const [first] = calls as readonly [RecordedCall];
    const given = new Set<number>();
    const lost = calls.filter(({ outcome }) => outcome === 'unknown').map(({ runs }) => runs);
    return {
      ...noTime,
      name: first.name,
      serverLabel: first.server_label,
      description: '',
      inputSchema: {},
      attempts: lost[0] ?? Math.max(...calls.map(({ runs }) => runs)) + 1,
      check: () => undefined,
      needsApproval: () => false,
      run: async (_args, { signal, turn }) => {
        const call = calls.find(({ number, origin }) => origin.call_id === turn.call && !given.has(number)) ?? first;
        given.add(call.number);
        return this.#come(call, signal);
      },
    };
  }

  async #come(call: RecordedCall, signal: AbortSignal): Promise<ToolResult> {
    const runs = (this.#runs.get(call.number) ?? 0) + 1;
    this.#runs.set(call.number, runs);
    const { outcome, result, usage } = call;
    this.noteNews();
    if (runs < call.runs || result === null || (outcome !== 'completed' && outcome !== 'failed')) {
      this.#hanging += 1;
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
    }
    const spent = usage === undefined ? {} : { usage: usage as unknown as NonNullable<ToolResult['usage']> };
    return outcome === 'completed' ? { type: 'output', text: result ?? '', ...spent } : { type: 'error', message: result ?? '', ...spent };
  }
}

/** Whatever an agent's `tools` name, it is these lists. */
function boxOf(lists: readonly ToolList[]): ToolBox {
  return { unknownOf: () => [], listsOf: async () => lists, [Symbol.asyncDispose]: async () => undefined };
}

/** The items of this type that the turn has shown, whole. */
function itemsOf({ journal }: Bundle, itemType: string): readonly JsonObject[] {
  return journal.flatMap(({ type, data }) => {
    if (type !== 'response.output_item.done' || !data.includes(`"${itemType}"`)) return [];
    const { item } = JSON.parse(data) as { readonly item: JsonObject };
    return item['type'] === itemType ? [item] : [];
  });
}

/** Of a member that is a text. */
function textOf(item: JsonObject, name: string): string {
  const value = item[name];
  return typeof value === 'string' ? value : '';
}

function keyOf({ server_label: label, name }: { readonly server_label?: unknown; readonly name?: unknown }, args: string): string {
  return JSON.stringify([label, name, parsed(args)]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
