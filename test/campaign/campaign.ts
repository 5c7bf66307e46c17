/** A campaign: load and faults side by side, until each kind of both was met; then quiet, and everything held against the laws. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from '../../bench/soak/dice.ts';
import { clockMs } from '../../bench/support/clock.ts';
import { startModelServer } from '../../src/testing/model-server/index.ts';
import { checkLog, type Violation } from './check.ts';
import { Client } from './client.ts';
import { CampaignCluster, type Database, residentMb } from './cluster.ts';
import { readBack, readNotes, searchFiles, untilClosed, untilQuiet } from './evidence.ts';
import { Clock, Disk } from './machine.ts';
import { CampaignModel } from './model.ts';
import { type FaultKind, manners, modelFaults, plainManners, planFaults, planTurn, weatherWords } from './plan.ts';
import { OperationLog } from './record.ts';
import { replayTurns } from './replay.ts';
import { kindsFor, strike } from './strike.ts';
import { talk } from './talk.ts';
import { Weather } from './weather.ts';

export interface CampaignOptions {
  readonly seed: number;
  /** Of the load; longer where not each kind of fault was met by then. */
  readonly lengthMs: number;
  /** The load is over earlier where so many faults were felt. */
  readonly mostFaults: number;
  /** Conversations at the same time. */
  readonly sessions: number;
  /** Short turns, nearly all of them with a fault of the model, a client or both. */
  readonly isDense: boolean;
  /** Chunks a second that come late or lose their connection, on each link that is busy. 0: none. */
  readonly weatherPerSecond: number;
  /** From one fault of the machinery to the next, in the mean. */
  readonly everyMs: number;
  /** Every so often, besides: a process is killed with -9. 0: not. */
  readonly killEveryMs: number;
  readonly counts: Readonly<Record<'serve' | 'gateway' | 'worker', number>>;
  readonly hasNginx: boolean;
  readonly openDatabase: (folder: string) => Promise<Database>;
  /** Kinds whose absence on this machine is known, by their first word: `disk`, `clock`. */
  readonly without: ReadonlySet<string>;
  readonly say: (text: string) => void;
  /** Logs and databases stay. */
  readonly isKept: boolean;
}

export interface CampaignResult {
  readonly violations: readonly Violation[];
  /** Kinds of faults that were never felt. */
  readonly missing: readonly string[];
  /** How often each kind was felt. */
  readonly felt: ReadonlyMap<string, number>;
  /** For a table. */
  readonly figures: readonly (readonly [string, string])[];
  /** Where logs and databases are, if they were kept. */
  readonly folder: string;
}

const turnsOfASession = 8;
/** Beyond the length, for kinds that were not met yet. */
const overtimeMs = 120_000;
/** Until every client has its turn's end, and every turn has one, once all is healed. */
const quietPatienceMs = 240_000;
/** For reading everything back, behind a long campaign. */
const readPatienceMs = 3_600_000;
const diskMegabytes = 1_024;
/** Turns whose histories are replayed. */
const replayed = 60;
const sampleEveryMs = 1_000;

const env = {
  TURNKEEP_HEARTBEAT_TIMEOUT_MS: '3000',
  TURNKEEP_FIRST_EVENT_TIMEOUT_MS: '6000',
  TURNKEEP_IDLE_TIMEOUT_MS: '8000',
  TURNKEEP_CONNECT_TIMEOUT_MS: '3000',
  TURNKEEP_DRAIN_MS: '1500',
  TURNKEEP_MODEL_API: 'chat',
  TURNKEEP_MODEL: 'scripted',
  TURNKEEP_CONFIG: join(import.meta.dirname, 'agents.ts'),
} as const;

/** Nothing of it asserts; what went wrong is in the result. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, say, without, isKept } = options;
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-campaign-'));
  const secret = `kestrel${randomBytes(12).toString('hex')}`;
  const log = new OperationLog(join(folder, 'operations.jsonl'));
  say(`seed ${seed}, in ${folder}`);
  const model = new CampaignModel(log, secret, (kind, turn) =>
    log.add({ op: 'fault', overAtMs: clockMs(), kind: `model ${kind}`, on: turn, isFelt: true }),
  );
  await using server = await startModelServer({ fallback: model.reply, keepLog: false });
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const database = await options.openDatabase(folder);
  // The disk that is filled is the data dir's: a server has its data elsewhere.
  const wantsDisk = !without.has('disk') && database.server === undefined;
  await using disk = wantsDisk ? await Disk.mount(dataDir, diskMegabytes) : undefined;
  const clock = without.has('clock') ? undefined : Clock.find(folder);
  const notesPath = join(folder, 'tools.txt');
  const apiKey = `sk-${secret}`;
  const cluster = await CampaignCluster.start({
    folder,
    modelPort: server.port,
    database,
    counts: options.counts,
    hasNginx: options.hasNginx,
    disk,
    clock,
    env: { ...env, TURNKEEP_DATA_DIR: dataDir, OPENAI_API_KEY: apiKey, TURNKEEP_TEST_TOOL_NOTES: notesPath },
    onEndedByItself: (process, how) => {
      say(`${process} ended by itself: ${how}`);
      log.add({ op: 'process ended by itself', process, how });
    },
  });
  let searchedBytes = 0;
  const startedAtMs = clockMs();
  let loadedMs = 0;
  const machinery = kindsFor({ cluster, disk, clock });
  const linkKinds = options.weatherPerSecond === 0 ? [] : [...new Set(cluster.links.map(({ kind }) => kind))];
  const wanted: readonly string[] = [
    ...machinery,
    ...manners,
    ...modelFaults.map((kind) => `model ${kind}`),
    ...linkKinds.flatMap((kind) => weatherWords.map((word) => `weather ${word} ${kind}`)),
  ];
  try {
    const sampling = sampleMemory(cluster, log);
    loadedMs = await load(options, { cluster, log, secret, disk, clock, machinery, wanted });
    say('all is healed; every turn is to have its end');
    const reader = new Client({
      urls: cluster.urls,
      log,
      signal: AbortSignal.timeout(readPatienceMs),
      patienceMs: 20_000,
      dice: new Dice(seed, 'reader'),
    });
    await untilQuiet(reader, log, quietPatienceMs);
    await untilClosed(model, log);
    await readBack(reader, log);
    if ((await reader.text('/metrics')).includes(secret)) log.add({ op: 'leak', place: 'metrics' });
    const ids = log.entries.flatMap((entry) => (entry.op === 'kept' ? [entry.id] : []));
    await replayTurns(cluster.urls[0] ?? '', sampleOf(ids, replayed), log);
    sampling();
    readNotes(notesPath, log);
    searchedBytes = searchFiles(cluster.files, [secret], log);
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
  const violations = checkLog(log.entries);
  const { felt } = log;
  const expected = [...wanted, ...(wantsDisk ? ['disk full'] : []), ...(without.has('clock') ? [] : ['clock forward', 'clock back'])];
  const missing = [...new Set(expected)].filter((kind) => !felt.has(kind));
  if (violations.length === 0 && missing.length === 0 && !isKept) rmSync(folder, { recursive: true, force: true });
  return { violations, missing, felt, folder, figures: figuresOf(log, { loadedMs, searchedBytes, tookMs: clockMs() - startedAtMs }) };
}

/** So many at the most, from all over the campaign. */
function sampleOf<T>(all: readonly T[], most: number): readonly T[] {
  const every = Math.max(1, Math.ceil(all.length / most));
  return all.filter((_, at) => at % every === 0);
}

interface LoadParts {
  readonly cluster: CampaignCluster;
  readonly log: OperationLog;
  readonly secret: string;
  readonly disk: Disk | undefined;
  readonly clock: Clock | undefined;
  readonly machinery: readonly FaultKind[];
  /** All kinds of faults that are to be felt. */
  readonly wanted: readonly string[];
}

/** Resolves when the faults are over, and each client has its turn's end or is out of patience, with how long that took, ms. */
async function load(options: CampaignOptions, { cluster, log, secret, disk, clock, machinery, wanted }: LoadParts): Promise<number> {
  const { seed, lengthMs, mostFaults, sessions, isDense, weatherPerSecond, everyMs, killEveryMs, say } = options;
  const startedAtMs = clockMs();
  const giveUp = new AbortController();
  const enough = new AbortController();
  let n = 0;
  const converse = async (slot: number): Promise<void> => {
    const dice = new Dice(seed, 'client', slot);
    for (let session: string | undefined, left = 0; !enough.signal.aborted; left -= 1) {
      // A plan is the seed's and the number's alone; who carries it out is a matter of time.
      const plan = planTurn(seed, n, { sessions, isDense });
      n += 1;
      const client = new Client({ urls: cluster.urls, log, signal: giveUp.signal, patienceMs: plan.patienceMs, dice });
      if (session === undefined || left <= 0) {
        session = ((await client.call('POST', '/v1/conversations', {})) as { readonly id: string } | undefined)?.id;
        left = turnsOfASession;
      }
      if (session === undefined) return;
      const onFelt = (kind: (typeof manners)[number], on: string): void => {
        log.add({ op: 'fault', overAtMs: clockMs(), kind, on, isFelt: true });
      };
      const onUnsure = (turn: string): void => {
        log.add({ op: 'unsure', turn });
        // What may still arrive is in nobody's way.
        left = 0;
      };
      await talk({ client, log, session, secret, seed, onFelt, onUnsure }, plan);
    }
  };
  for (const link of weatherPerSecond === 0 ? [] : cluster.links) {
    link.expose(new Weather(new Dice(seed, 'weather', link.name), weatherPerSecond), (word) =>
      log.add({ op: 'fault', overAtMs: clockMs(), kind: `weather ${word} ${link.kind}`, on: link.name, isFelt: true }),
    );
  }
  const clients = Promise.all(Array.from({ length: sessions }, (_, slot) => converse(slot)));
  const kills = (['serve', 'gateway', 'worker', 'nginx', 'postgres'] as const).filter((kind) =>
    cluster.processes.some((process) => process.kind === kind),
  );
  const dice = new Dice(seed, 'kills');
  const extra = Array.from({ length: killEveryMs === 0 ? 0 : Math.floor(lengthMs / killEveryMs) }, (_, at) => ({
    atMs: (at + 1) * killEveryMs,
    kind: `kill ${dice.pick(kills)}` as const,
    choice: dice.next(),
    forMs: 0,
  }));
  const planned = [...planFaults(seed, machinery, lengthMs, everyMs), ...extra].toSorted((one, other) => one.atMs - other.atMs);
  const parts = { cluster, disk, clock, log, say };
  const saturated = new AbortController();
  const counting = setInterval(() => {
    if (log.countFelt(isFault) >= mostFaults) saturated.abort();
  }, sampleEveryMs);
  await strike(parts, planned, saturated.signal);
  while (clockMs() - startedAtMs < lengthMs + overtimeMs) {
    const missing = machinery.filter((kind) => !log.felt.has(kind));
    const isLongEnough = saturated.signal.aborted || clockMs() - startedAtMs >= lengthMs;
    if (isLongEnough && wanted.every((kind) => log.felt.has(kind))) break;
    // One that nobody felt comes again.
    if (missing.length > 0) await strike(parts, planFaults(seed + n, missing, 1_000, 1_000));
    else await sleep(200);
  }
  clearInterval(counting);
  enough.abort();
  for (const link of cluster.links) link.shelter();
  const patience = setTimeout(() => giveUp.abort(), quietPatienceMs);
  await clients;
  clearTimeout(patience);
  return clockMs() - startedAtMs;
}

/** @returns what ends it, and books the most that each process held */
function sampleMemory({ processes }: CampaignCluster, log: OperationLog): () => void {
  const most = new Map<string, number>();
  const sampling = setInterval(() => {
    for (const { name, pid } of processes) {
      const mb = pid === undefined ? undefined : residentMb(pid);
      if (mb !== undefined) most.set(name, Math.max(mb, most.get(name) ?? 0));
    }
  }, sampleEveryMs);
  return () => {
    clearInterval(sampling);
    for (const [process, mostMb] of most) log.add({ op: 'memory', process, mostMb });
  };
}

/** A turn in which clients do nothing wrong is in the list of what was met, and is no fault. */
function isFault(kind: string): boolean {
  return !plainManners.has(kind);
}

interface Measured {
  readonly loadedMs: number;
  readonly searchedBytes: number;
  readonly tookMs: number;
}

function figuresOf(log: OperationLog, { loadedMs, searchedBytes, tookMs }: Measured): (readonly [string, string])[] {
  const { entries } = log;
  const count = (op: (typeof entries)[number]['op']): number => entries.filter((entry) => entry.op === op).length;
  const kept = entries.filter((entry) => entry.op === 'kept');
  const ends = [...Map.groupBy(kept, ({ status, code }) => code ?? status)].map(([end, { length }]) => [end, length] as const);
  const quiet = entries.find((entry) => entry.op === 'quiet');
  const memory = entries.filter((entry) => entry.op === 'memory').map(({ process, mostMb }) => `${process} ${mostMb.toFixed(0)}`);
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(0)} s`;
  return [
    ['load', seconds(loadedMs)],
    ['faults felt', String(log.countFelt(isFault))],
    ['… of chunks and of single connections', String(log.countFelt((kind) => kind.startsWith('weather ')))],
    ['… of the model', String(log.countFelt((kind) => kind.startsWith('model ')))],
    ['… of clients', String(log.countFelt((kind) => isFault(kind) && (manners as readonly string[]).includes(kind)))],
    ['turns kept', String(kept.length)],
    ['second turns of retries without a key', String(kept.length - new Set(kept.map(({ turn }) => turn)).size)],
    ['ends', ends.map(([end, times]) => `${end} ${times}`).join(', ')],
    ['requests at the model', String(count('request'))],
    ['viewers’ connections', String(count('viewed'))],
    ['posts; cancels answered', `${count('post')}; ${count('cancelled')}`],
    ['runs of tools', String(entries.filter((entry) => entry.op === 'tool' && entry.word === 'begun').length)],
    ['until every turn had its end', quiet === undefined ? 'never' : seconds(quiet.tookMs)],
    [
      'histories replayed',
      entries.flatMap((entry) => (entry.op === 'replayed' ? [`${entry.same} the same, ${entry.unseen} without a run`] : [])).join(),
    ],
    ['searched for secrets', `${(searchedBytes / 1_048_576).toFixed(1)} MB`],
    ['most memory, MB', memory.join(', ')],
    ['all in all', seconds(tookMs)],
  ];
}
