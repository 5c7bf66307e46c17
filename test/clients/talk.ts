/**
 * One talk of a client with turnkeep, as its user has it: a program in a folder, told of nothing but turnkeep's base URL
 * and key, and behind turnkeep a scripted model. turnkeep is killed once with half an answer shown, and started again.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelServerOptions } from '../../src/testing/model-server/index.ts';
import { type Cluster, type Role, type RunningGateway, startCluster } from '../support/processes.ts';
import { Viewer } from '../support/viewer.ts';
import { within } from '../support/within.ts';
import { startFront } from './front.ts';

export type Api = 'chat' | 'responses';

/** What a program is started with. */
export interface Launch {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Talk extends AsyncDisposable {
  readonly cluster: Cluster;
  /** What the client is given for a base URL; the same after the kill. */
  readonly baseUrl: string;
  readonly key: string;
  /** The client's configuration is here, and nothing else of this machine's user. */
  readonly home: string;
  /** The folder that the client works in. */
  readonly folder: string;
  /** Runs the client to its end. @returns whether it said that all went well */
  run(program: string, launch: Launch): Promise<boolean>;
  /** What the client printed so far. */
  readonly output: string;
  write(path: string, text: string): void;
  read(file: string): string;
  /** Kills turnkeep once it has shown the text before the gate, starts it again, and opens the gate. @returns the turn that was cut */
  killAt(gate: string, text: string): Promise<string>;
  /** By what methods the route was asked, request by request, before the kill and after it. */
  methodsOf(route: string): readonly string[];
  /** How a turn ended: undefined where it was not to be stored, and is gone. */
  endOf(turn: string): Promise<string | undefined>;
}

const clientPatienceMs = 150_000;
const key = 'sk-client-0123456789abcdef';
const headers = { authorization: `Bearer ${key}` };

export async function startTalk(model: ModelServerOptions, providerApi: Api): Promise<Talk> {
  const cluster = await startCluster({ model, env: { TURNKEEP_MODEL_API: providerApi, TURNKEEP_API_KEYS: `client:${key}` } });
  const front = await startFront();
  const { url } = front;
  const started: Role[] = [];
  let { role: turnkeep } = await start();
  const home = mkdtempSync(join(tmpdir(), 'turnkeep-client-'));
  const folder = join(home, 'work');
  mkdirSync(folder);
  let output = '';
  let endClient: (() => void) | undefined;
  async function start(): Promise<RunningGateway> {
    const running = await cluster.startServe();
    started.push(running.role);
    front.leadTo(running.url);
    return running;
  }
  async function ask(path: string): Promise<Response> {
    return fetch(url + path, { headers });
  }
  async function killAt(gate: string, text: string): Promise<string> {
    await within(`the model to come to ${gate}`, cluster.model.reached(gate), () => output, clientPatienceMs);
    const turn = await within('one turn to run', runningTurn(ask));
    const viewer = await Viewer.open(`${url}/v1/responses/${turn}?stream=true`, { headers });
    await within(text, viewer.untilText(text), () => viewer.text);
    front.leadTo(undefined);
    await turnkeep.kill();
    turnkeep = (await start()).role;
    cluster.model.release(gate);
    return turn;
  }
  return {
    cluster,
    baseUrl: `${url}/v1`,
    key,
    home,
    folder,
    get output() {
      return output;
    },
    async run(program, { args, env = {} }) {
      // A group of its own: some of these programs start the real one, which must not outlive them.
      const child = spawn(program, args, {
        cwd: folder,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: home, PWD: folder, TERM: 'dumb', ...env },
      });
      const kill = (): void => {
        if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL');
      };
      endClient = kill;
      const timer = setTimeout(kill, clientPatienceMs);
      process.once('exit', kill);
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const { promise, resolve, reject } = Promise.withResolvers<number | null>();
      child.once('error', reject);
      child.once('close', resolve);
      const status = await promise;
      clearTimeout(timer);
      process.off('exit', kill);
      return status === 0;
    },
    write(path, text) {
      mkdirSync(join(home, path, '..'), { recursive: true });
      writeFileSync(join(home, path), text);
    },
    read: (file) => readFileSync(join(folder, file), 'utf8'),
    killAt(gate, text) {
      const cut = killAt(gate, text);
      // Without the kill the client would wait in vain. The error is for who awaits it, after the client.
      cut.catch(() => endClient?.());
      return cut;
    },
    methodsOf: (route) => started.flatMap(({ output }) => output.flatMap((line) => methodOf(line, route))),
    async endOf(turn) {
      // A stream ends when its turn does.
      await (await ask(`/v1/responses/${turn}?stream=true`)).text();
      const response = await ask(`/turns/${turn}`);
      if (response.status === 404) return undefined;
      const { status, error } = (await response.json()) as { status: string; error: { code: string } | null };
      return error?.code ?? status;
    },
    async [Symbol.asyncDispose]() {
      await front.close();
      await cluster[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** A line of turnkeep's log, where it is that of a request to the route. */
function methodOf(line: string, route: string): readonly string[] {
  if (!line.startsWith('{')) return [];
  const entry = JSON.parse(line) as { readonly msg: string; readonly route?: string; readonly method?: string };
  return entry.msg === 'request' && entry.route === route && entry.method !== undefined ? [entry.method] : [];
}

/** The only one that does. Some clients have a title made beside the first turn of a talk. */
async function runningTurn(ask: (path: string) => Promise<Response>): Promise<string> {
  for (;;) {
    const { data } = (await (await ask('/turns?status=in_progress')).json()) as { data: { id: string }[] };
    const [running, another] = data;
    if (running !== undefined && another === undefined) return running.id;
  }
}
