/**
 * Two turns side by side, as what was asked and what came of it, in the order in which it happened: so the first difference is
 * the one that may have led to all others. Ids and times are no difference. Pure.
 */
import { isCallOutput, isWorkers, type Item, type MessagePart, type InputPart, toolOutputText } from '../domain/item.ts';
import type { Bundle } from './bundle.ts';

/** A place of a turn, and what stands there. */
export interface Place {
  /** Such as `step 2, call of search`. */
  readonly at: string;
  readonly text: string;
}

/** Of one place; undefined: that turn has no such place. */
export interface Compared {
  readonly at: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
}

/** All places of both, in order. The first whose `left` is not its `right` is the first difference. */
export function comparedTurns(left: Bundle, right: Bundle): readonly Compared[] {
  const [forkedLeft, forkedRight] = [asOneTurn(left, right), asOneTurn(right, left)];
  const shared = Math.max(forkedLeft.shared, forkedRight.shared);
  const [one, other] = [sectionsOf(forkedLeft.bundle, shared), sectionsOf(forkedRight.bundle, shared)];
  return [...new Set([...one.keys(), ...other.keys()])]
    .toSorted(bySection)
    .flatMap((name) => aligned(one.get(name) ?? [], other.get(name) ?? []));
}

/**
 * A turn without input in a fork of the other one goes on with it: what the fork has copied of that turn is put where it was.
 * `shared`: so many steps were made before the fork. They were asked for in one of the two turns alone.
 */
function asOneTurn(bundle: Bundle, { transcript, input }: Bundle): { readonly bundle: Bundle; readonly shared: number } {
  const copied = bundle.transcript.at(-1);
  if (copied === undefined || bundle.input.length > 0 || bundle.transcript.length !== transcript.length + 1) return { bundle, shared: 0 };
  const earlier = copied.items.slice(input.length) as unknown as readonly Item[];
  const shared = Math.max(0, ...earlier.map((item) => (isWorkers(item) ? item.turnkeep.step : 0)));
  const own = outputOf(bundle).map((item) =>
    isWorkers(item) ? { ...item, turnkeep: { ...item.turnkeep, step: item.turnkeep.step + shared } } : item,
  );
  return {
    shared,
    bundle: {
      ...bundle,
      transcript: bundle.transcript.slice(0, -1),
      input: copied.items.slice(0, input.length),
      attempts: bundle.attempts.map((attempt) => ({ ...attempt, step: attempt.step + shared })),
      timeline: { ...bundle.timeline, output: [...earlier, ...own] },
    },
  };
}

export function isDifferent({ left, right }: Compared): boolean {
  return left !== right;
}

type Sections = ReadonlyMap<string, readonly Place[]>;

/** Sections in the order of a turn: the request, the past, the input, each step, the end. */
function bySection(one: string, other: string): number {
  return rankOf(one) - rankOf(other);
}

const fixed = ['request', 'past', 'input'];

function rankOf(name: string): number {
  const place = fixed.indexOf(name);
  if (place !== -1) return place - fixed.length;
  return name === 'end' ? Number.MAX_SAFE_INTEGER : Number(name);
}

/** Of a section both have, place by place: the same names in the same order are the same places. */
function aligned(left: readonly Place[], right: readonly Place[]): readonly Compared[] {
  const compared: Compared[] = [];
  const [one, other] = [[...left], [...right]];
  for (let [first, second] = [one[0], other[0]]; first !== undefined || second !== undefined; [first, second] = [one[0], other[0]]) {
    // A place that only one of them has stands before those that follow in both.
    const isOnlyLeft = second === undefined || (first !== undefined && first.at !== second.at && !other.some(({ at }) => at === first?.at));
    const isOnlyRight = first === undefined || (second !== undefined && first.at !== second.at && !isOnlyLeft);
    const at = (isOnlyRight ? second : first)?.at ?? '';
    compared.push({ at, left: isOnlyRight ? undefined : first?.text, right: isOnlyLeft ? undefined : second?.text });
    if (!isOnlyRight) one.shift();
    if (!isOnlyLeft) other.shift();
  }
  return compared;
}

/** @param shared the requests of so many steps are left out */
function sectionsOf(bundle: Bundle, shared: number): Sections {
  const sections = new Map<string, Place[]>();
  const put = (section: string, at: string, text: string): void => {
    const places = sections.get(section) ?? [];
    sections.set(section, places);
    const name =
      section === 'end' || section === 'request' ? `${section}, ${at}` : `${/^\d/.test(section) ? `step ${section}` : section}, ${at}`;
    const before = places.filter((place) => place.at === name || place.at.startsWith(`${name} #`)).length;
    places.push({ at: before === 0 ? name : `${name} #${before + 1}`, text });
  };
  const { agent, ...settings } = bundle.turn.settings as { readonly agent?: object };
  const ofAgent = Object.entries(agent ?? {}).map(([name, value]) => [`${name} of the agent`, value as unknown] as const);
  for (const [name, value] of [...Object.entries(settings), ...ofAgent]) {
    if (unsaid.has(name) || value == null || (Array.isArray(value) && value.length === 0)) continue;
    put('request', name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  for (const [index, { items }] of bundle.transcript.entries()) {
    for (const item of items as unknown as readonly Item[]) put('past', `turn ${index + 1}, ${nameOf(item)}`, textOf(item));
  }
  for (const item of bundle.input as unknown as readonly Item[]) put('input', nameOf(item), textOf(item));
  for (const { step, attempt, outcome = 'running', code, detail } of bundle.attempts) {
    if (step <= shared) continue;
    put(String(step), `request ${attempt}`, [outcome, code, detail].filter((word) => word !== undefined).join(' '));
  }
  let step = 1;
  let hasCalled = false;
  for (const item of outputOf(bundle)) {
    // The calls of a step are its last items: whatever follows them is of the next one.
    if (isWorkers(item)) step = item.turnkeep.step;
    else if (hasCalled) step += 1;
    hasCalled = isWorkers(item);
    put(String(step), nameOf(item), textOf(item));
    const call = item.type === 'mcp_call' && isWorkers(item) ? item : undefined;
    if (call !== undefined)
      put(String(step), `result of ${call.name}`, call.output ?? call.error?.content.map(({ text }) => text).join('') ?? '');
  }
  return withEnd(sections, bundle, put);
}

function withEnd(sections: Sections, { timeline, turn }: Bundle, put: (section: string, at: string, text: string) => void): Sections {
  put('end', 'status', [timeline.status, turn.error_code].filter((word) => word !== null).join(': '));
  if (turn.usage !== null) put('end', 'tokens', `${turn.usage.input_tokens} in, ${turn.usage.output_tokens} out`);
  return sections;
}

/** What says how an answer is handed out, and nothing of what it is. */
const unsaid = new Set(['background', 'store', 'metadata', 'recorded_calls_of', 'budget', 'omitted_tools', 'omitted_fields']);

function outputOf({ timeline }: Bundle): readonly Item[] {
  const { output } = timeline as { readonly output?: unknown };
  return Array.isArray(output) ? (output as readonly Item[]) : [];
}

function nameOf(item: Item): string {
  if (item.type === 'message') return item.role === 'assistant' ? 'answer' : `${item.role} message`;
  if (isCallOutput(item)) return 'output of a call';
  if ('name' in item && typeof item.name === 'string')
    return item.type === 'mcp_approval_request' ? `approval of ${item.name}` : `call of ${item.name}`;
  return item.type;
}

function textOf(item: Item): string {
  if (item.type === 'message') return item.content.map(partText).join('\n');
  if (item.type === 'reasoning') return item.summary.map(({ text }) => text).join('\n');
  if (item.type === 'function_call' || isWorkers(item)) return item.arguments;
  if (item.type === 'custom_tool_call') return item.input;
  if (isCallOutput(item)) return toolOutputText(item);
  const { id: _own, ...rest } = item as { readonly id?: string };
  return JSON.stringify(rest);
}

/** Images and files stand as they were given. */
function partText(part: InputPart | MessagePart): string {
  if (part.type === 'refusal') return part.refusal;
  return 'text' in part ? part.text : JSON.stringify(part);
}
