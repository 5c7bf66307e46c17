/** Replays files on workflow code, in several processes: the SDK replays one history at a time in each, and one core is one process's. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReplayOptions, ReplayReport } from './replay-histories.ts';
import type { ToProcess } from './replay-process.ts';

export interface ReplayRequest {
  readonly files: readonly string[];
  /** The workflow code as a worker runs it. Absent: only the other one is there to be asked. */
  readonly plain?: () => Promise<{ readonly code: string }>;
  /** The same with the interceptor `tracePath`, which says where a command comes from. */
  readonly traced: () => Promise<{ readonly code: string }>;
  /** Called for each file once it is replayed. */
  readonly onReplayed?: () => void;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const processPath = fileURLToPath(new URL(`./replay-process.${extension}`, import.meta.url));

/** Of the interceptor, for bundling it with the workflow code. */
export const tracePath = fileURLToPath(new URL(`./trace-commands.${extension}`, import.meta.url));

/** A process takes a second to begin: fewer files than this are not worth another one. */
const filesAProcess = 50;

/** Files that are sent to a process before it has answered: it never waits for the next one. */
const sentAhead = 4;

/**
 * What became of the runs in these files, in the order of the files. Where the code is there as a worker runs it, it is asked first,
 * and the other one for what diverges.
 *
 * @throws where the workflow code cannot be bundled, or a process of the replay dies
 */
export async function replay({ files, plain, traced, onReplayed = () => undefined }: ReplayRequest): Promise<readonly ReplayReport[]> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-replay-'));
  const run = async (which: readonly string[], isTraced: boolean): Promise<Map<string, readonly ReplayReport[]>> => {
    const codePath = join(folder, `workflows-${isTraced ? 'traced' : 'plain'}.js`);
    const { code } = await (isTraced ? traced : (plain ?? traced))();
    await writeFile(codePath, code, { mode: 0o600 });
    return inProcesses(which, { codePath, isTraced }, isTraced && plain !== undefined ? () => undefined : onReplayed);
  };
  try {
    const reports = await run(files, plain === undefined);
    const diverged = files.filter((file) => reports.get(file)?.some(({ outcome }) => outcome === 'diverged'));
    if (plain !== undefined && diverged.length > 0) {
      for (const [file, described] of await run(diverged, true)) reports.set(file, merged(reports.get(file), described));
    }
    return files.flatMap((file) => reports.get(file) ?? []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a run diverges is said by the code as it is; where, by that which is traced. */
function merged(plain: readonly ReplayReport[] = [], described: readonly ReplayReport[]): readonly ReplayReport[] {
  return plain.map((report, index) =>
    report.outcome === 'diverged' && described[index]?.outcome === 'diverged' ? described[index] : report,
  );
}

async function inProcesses(
  files: readonly string[],
  options: ReplayOptions,
  onReplayed: () => void,
): Promise<Map<string, readonly ReplayReport[]>> {
  const reports = new Map<string, readonly ReplayReport[]>();
  let next = 0;
  const count = Math.max(1, Math.min(availableParallelism(), Math.ceil(files.length / filesAProcess)));
  await Promise.all(Array.from({ length: count }, () => runProcess()));
  return reports;

  async function runProcess(): Promise<void> {
    const child = fork(processPath, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = `${stderr}${text}`.slice(-4_000)));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let open = 0;
    const sendNext = (): void => {
      const file = files[next];
      next += 1;
      if (file !== undefined) {
        open += 1;
        send(child, { file });
      } else if (open === 0) send(child, {});
    };
    child.on('message', (of: ReplayReport[]) => {
      const file = of[0]?.file;
      if (file !== undefined) reports.set(file, of);
      open -= 1;
      onReplayed();
      sendNext();
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a process of the replay ended with ${code}: ${stderr.trim() || 'it said nothing'}`));
    });
    send(child, options);
    for (let ahead = 0; ahead < sentAhead; ahead += 1) sendNext();
    try {
      await promise;
    } finally {
      child.kill();
    }
  }
}

function send(child: ChildProcess, message: ToProcess): void {
  // One that is dead says so by its exit.
  child.send(message, () => undefined);
}
