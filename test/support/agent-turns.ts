/**
 * Turns of three steps, each of the first two with a tool that may run once and one that may run again, and what must hold of
 * them whatever happens to the processes that run them.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  type LoggedRequest,
  type ModelServer,
  type ModelServerOptions,
  type Script,
  sseHead,
} from '../../src/testing/model-server/index.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { readStream } from '../../src/settle/read-stream.ts';
import { until } from './until.ts';

/** The request of a step, by what the model is told: which turn it is of, and how many answers it has given. */
export interface AskedStep {
  readonly turn: string;
  readonly step: number;
}

/** What the model does instead of what it is to do, at the nth request of a step (from 1). */
export type Plan = (asked: AskedStep, nth: number) => Script | undefined;

interface Message {
  readonly role: string;
  readonly content: string | null;
  readonly tool_calls?: readonly unknown[];
}

export function askedStep({ body }: LoggedRequest): AskedStep {
  const { messages } = body as { readonly messages: readonly Message[] };
  const from = messages.findLastIndex(({ role }) => role === 'user');
  const answers = messages.slice(from).filter(({ role, tool_calls: calls }) => role === 'assistant' && calls !== undefined);
  return { turn: messages[from]?.content ?? '', step: answers.length + 1 };
}

/** The names of the two calls of a step, which are their ids too. */
export const onceOf = ({ turn, step }: AskedStep): string => `${turn}-${step}-once`;
export const againOf = ({ turn, step }: AskedStep): string => `${turn}-${step}-again`;

/** A step that calls its two tools. */
export function callsOf(asked: AskedStep): Script {
  const call = (name: string, tool: string) => ({ id: name, name: tool, arguments: { name } });
  return chatToolCalls(call(onceOf(asked), 'once'), call(againOf(asked), 'again'));
}

export function agentModel(plan: Plan = () => undefined): () => ModelServerOptions {
  return () => {
    const made = new Map<string, number>();
    return {
      fallback: (request) => {
        const asked = askedStep(request);
        const key = `${asked.turn} ${asked.step}`;
        const nth = (made.get(key) ?? 0) + 1;
        made.set(key, nth);
        return plan(asked, nth) ?? (asked.step < 3 ? callsOf(asked) : chatAnswer('done'));
      },
    };
  };
}

/** A step that shows a word, and stands still. */
export const begunWith = (...rest: Script): Script => [sseHead, chat.role(), chat.content('Hel'), ...rest];

interface RunNote {
  readonly word: 'begun' | 'ended';
  readonly tool: string;
  readonly name: string;
  readonly key: string;
  readonly pid: number;
}

/** What the tools of `test/data/chaos-agents.ts` have written down, and the gates that they hold at. */
export class ToolRuns implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'turnkeep-runs-'));

  get env(): NodeJS.ProcessEnv {
    return { TURNKEEP_CONFIG: join(import.meta.dirname, '../data/chaos-agents.ts'), TURNKEEP_TEST_RUNS: this.folder };
  }

  get notes(): readonly RunNote[] {
    const path = join(this.folder, 'runs.txt');
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [word, tool = '', name = '', key = '', pid] = line.split(' ');
        return { word: word as RunNote['word'], tool, name, key, pid: Number(pid) };
      });
  }

  count(word: RunNote['word'], name: string): number {
    return this.notes.filter((note) => note.word === word && note.name === name).length;
  }

  async begun(name: string, times = 1): Promise<void> {
    await until(() => this.count('begun', name) >= times);
  }

  release(...names: readonly string[]): void {
    for (const name of names) writeFileSync(join(this.folder, `go ${name}`), '');
  }

  releaseAll(): void {
    this.release('all');
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Facts {
  readonly store: Store;
  readonly model: Pick<ModelServer, 'requests'>;
  readonly runs: Pick<ToolRuns, 'notes'>;
}

export interface CheckedTurn {
  readonly status: string;
  readonly code: string | null;
  /** Requests that the model got, by step. */
  readonly requests: readonly number[];
  /** Runs of each call, and what the database has it come to, in the model's order. */
  readonly calls: readonly string[];
}

/** T1-T8 of a turn that has its end. @param name what the user said */
export async function checkAgentTurn({ store, model, runs }: Facts, id: string, name: string): Promise<CheckedTurn> {
  const turn = await store.readTurn(id);
  assert.ok(turn?.settledAtMs, `${name}: it has its end`);
  const { response, nextSeq } = await readStream(store, id);
  const rows = await store.readJournal(id);
  assert.deepEqual(
    rows.map(({ seq }) => seq),
    rows.map((_, index) => index),
    `T7 · ${name}: no gap, no repeat`,
  );
  assert.equal(nextSeq, rows.length);
  const finals = rows.filter(({ type }) => /^response\.(completed|incomplete|failed)$/.test(type));
  assert.deepEqual([finals.length, finals[0]?.seq], [1, rows.length - 1], `T6 · ${name}: one end`);
  assert.equal(response.status, turn.status);

  const requests = model.requests.filter(({ method }) => method === 'POST').filter((request) => askedStep(request).turn === name);
  const counts: number[] = [];
  for (const request of requests) {
    const { step } = askedStep(request);
    counts[step - 1] = (counts[step - 1] ?? 0) + 1;
    assert.equal(counts.length, step, `T2 · ${name}: step ${step} is not asked again once a later one was`);
    const { messages } = request.body as { readonly messages: readonly Message[] };
    assert.equal(messages.filter(({ role }) => role === 'user').length, 1, `T1 · ${name}: the input is there once`);
  }
  const attempts = await store.readAttempts(id);
  for (const [index, made] of counts.entries()) {
    const of = attempts.filter(({ step }) => step === index + 1);
    assert.ok(made <= 3 && made <= of.length, `T3 · ${name}: ${made} requests of step ${index + 1}, ${of.length} booked`);
    const started = of.findIndex(({ firstEventAtMs }) => firstEventAtMs !== undefined);
    assert.ok(started === -1 || started === of.length - 1, `T2 · ${name}: step ${index + 1} is not asked again once it has started`);
    if (index + 1 < counts.length) assert.equal(of.at(-1)?.outcome, 'completed', `T8 · ${name}: a step follows a proved end`);
  }

  const calls = await store.readToolCalls(id);
  const { messages = [] } = (requests.at(-1)?.body ?? {}) as { readonly messages?: readonly (Message & { tool_call_id?: string })[] };
  const outputs = new Map(messages.filter(({ role }) => role === 'tool').map((message) => [message.tool_call_id, message.content]));
  for (const call of calls) {
    const title = `${name}: ${call.origin.call_id}`;
    const notes = runs.notes.filter((note) => note.name === call.origin.call_id);
    const begun = notes.filter(({ word }) => word === 'begun').length;
    assert.ok(begun <= call.runs, `${title} is booked before it runs: ${begun} runs, ${call.runs} booked`);
    assert.ok(call.runs <= (call.name === 'once' ? 1 : 3), `${title} runs at most as often as it may: ${call.runs}`);
    assert.ok(new Set(notes.map(({ key }) => key)).size <= 1, `${title}: one key for all runs`);
    assert.notEqual(call.outcome, undefined, `${title} has its end`);
    if (call.outcome === 'completed')
      assert.ok(
        notes.some(({ word }) => word === 'ended'),
        `T8 · ${title}: what is completed has ended`,
      );
    const told = outputs.get(call.origin.call_id);
    if (told === undefined || call.step > counts.length) continue;
    if (call.outcome === 'completed') assert.equal(told, `${call.origin.call_id} is done`);
    else assert.match(told ?? '', /outcome .*unknown/i, `${title}: the model is told`);
  }
  for (const item of response.output) {
    assert.notEqual(item.status, 'in_progress', `${name}: nothing stays open`);
  }
  const { status, errorCode: code } = turn;
  return { status, code, requests: counts, calls: calls.map(({ runs: made, outcome }) => `${made} ${outcome ?? ''}`) };
}
