/** What is there of every turn when all is quiet, as any client can read it; and the places where no secret may be. */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../../bench/support/clock.ts';
import type { Client } from './client.ts';
import { type CampaignModel, orderIn, turnOf } from './model.ts';
import type { OperationLog } from './record.ts';

interface ListedTurn {
  readonly id: string;
  readonly session: string | null;
  readonly status: string;
}

interface ReportedTurn extends ListedTurn {
  readonly error: { readonly code: string } | null;
  readonly ready_at?: string;
  readonly settled_at: string | null;
  readonly steps: readonly {
    readonly step: number;
    readonly kind: string;
    readonly attempts?: readonly { readonly outcome: string; readonly first_event_at?: string }[];
  }[];
}

interface Item {
  readonly id: string;
  readonly type: string;
  readonly role?: string;
  readonly content?: readonly { readonly text?: string }[];
}

interface Page<T> {
  readonly data: readonly T[];
  readonly has_more: boolean;
  readonly last_id: string | null;
}

const pageSize = 100;
const readersAtOnce = 12;

async function readAll<T>(client: Client, path: string): Promise<readonly T[]> {
  const all: T[] = [];
  for (let after = ''; ;) {
    const page = (await client.call('GET', `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}${after}`)) as Page<T> | undefined;
    if (page === undefined) return all;
    all.push(...page.data);
    if (!page.has_more) return all;
    after = `&after=${page.last_id}`;
  }
}

/** Resolves when every turn has its end, or none got one for so long. */
export async function untilQuiet(client: Client, log: OperationLog, patienceMs: number): Promise<void> {
  const startedAtMs = clockMs();
  for (;;) {
    const open = [];
    for (const status of ['queued', 'in_progress']) open.push(...(await readAll<ListedTurn>(client, `/turns?status=${status}`)));
    const tookMs = clockMs() - startedAtMs;
    if (open.length === 0 || tookMs > patienceMs || client.isOver) {
      log.add({ op: 'quiet', tookMs, left: open.map(({ id }) => id) });
      return;
    }
    await client.pause();
  }
}

/** How long a cancel, or the end of a process, may take to reach the model's socket, on a machine that is busy. */
const closedWithinMs = 15_000;

/** Resolves when no request is open at the model, or some stay so. */
export async function untilClosed(model: CampaignModel, log: OperationLog): Promise<void> {
  const untilMs = clockMs() + closedWithinMs;
  while (model.open.length > 0 && clockMs() < untilMs) await sleep(50);
  log.add({ op: 'open requests', turns: model.open.map((request) => turnOf(request)) });
}

/** Books each turn as it is kept, and what each conversation has. */
export async function readBack(client: Client, log: OperationLog): Promise<void> {
  const turns = await readAll<ListedTurn>(client, '/turns');
  const sessions = new Set(turns.flatMap(({ session }) => session ?? []));
  await forEach([...sessions], async (session) => {
    const items = await readAll<Item>(client, `/v1/conversations/${session}/items?order=asc`);
    const users = items.filter(({ role }) => role === 'user');
    log.add({ op: 'conversation', session, said: users.map((item) => orderIn(textOf(item)).turn) });
  });
  await forEach(turns, async ({ id }) => {
    const inputs = await readAll<Item>(client, `/v1/responses/${id}/input_items?order=asc`);
    const words = inputs.findLast(({ role }) => role === 'user');
    const turn = words === undefined ? id : orderIn(textOf(words)).turn;
    await keep(client, log, { id, turn });
  });
}

async function keep(client: Client, log: OperationLog, { id, turn }: { readonly id: string; readonly turn: string }): Promise<void> {
  const report = (await client.call('GET', `/turns/${id}`)) as ReportedTurn | undefined;
  if (report === undefined) return;
  const sight = await client.readWhole(id);
  log.add({
    op: 'kept',
    turn,
    id,
    status: report.status,
    code: report.error?.code ?? null,
    readyAtMs: report.ready_at === undefined ? null : Date.parse(report.ready_at),
    settledAtMs: report.settled_at === null ? null : Date.parse(report.settled_at),
    rows: sight.rows,
    ends: sight.ends,
    isDone: sight.isDone,
    gaps: sight.problems,
    text: sight.text,
    openItems: (sight.final?.output ?? []).filter((item) => (item as { status?: string }).status === 'in_progress').length,
    body: sight.body,
    attempts: report.steps.flatMap(({ step, attempts = [] }) =>
      attempts.map(({ outcome, first_event_at: first }) => ({ step, outcome, hasStarted: first !== undefined })),
    ),
  });
}

/** The notes of the tools. */
export function readNotes(path: string, log: OperationLog): void {
  if (!existsSync(path)) return;
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const [word, tool, call, key] = line.split(' ');
    if (word === undefined || tool === undefined || call === undefined || key === undefined) continue;
    log.add({ op: 'tool', word: word as 'begun', tool: tool as 'once', call, key });
  }
}

const chunkBytes = 16 * 1_048_576;

/** T11, in these files: read in pieces that overlap. @returns how many bytes were searched */
export function searchFiles(paths: readonly string[], secrets: readonly string[], log: OperationLog): number {
  let searched = 0;
  const overlap = Math.max(...secrets.map(({ length }) => length));
  const chunk = Buffer.alloc(chunkBytes);
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const file = openSync(path, 'r');
    let isFound = false;
    for (let at = 0; !isFound;) {
      const read = readSync(file, chunk, 0, chunk.length, at);
      isFound = secrets.some((secret) => chunk.subarray(0, read).includes(secret));
      searched += read;
      if (read < chunk.length) break;
      at += read - overlap;
    }
    closeSync(file);
    if (isFound) log.add({ op: 'leak', place: path.slice(path.lastIndexOf('/') + 1) });
  }
  return searched;
}

function textOf({ content = [] }: Item): string {
  return content.map(({ text = '' }) => text).join('');
}

async function forEach<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const workers = Array.from({ length: readersAtOnce }, async () => {
    for (const each of left) await work(each);
  });
  await Promise.all(workers);
}
