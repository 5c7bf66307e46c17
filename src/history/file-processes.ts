/** Looks at files in several processes: one core is one process's. `file-work.ts` is the other side. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { FileAnswer, ToProcess } from './file-work.ts';

export interface FileProcesses {
  /** The module that each process runs. */
  readonly program: string;
  readonly files: readonly string[];
  /** A process takes its time to begin: fewer files than this are not worth another one. */
  readonly filesAProcess: number;
  /** What each is told first. */
  readonly options?: object;
  /** Called for each file once it is done. */
  readonly onDone: () => void;
}

/** Files that are sent to a process before it has answered: it never waits for the next one. */
const sentAhead = 4;

/**
 * @returns by file, what its process answered
 * @throws where a process dies
 */
export async function overFiles<Report>(work: FileProcesses): Promise<Map<string, Report>> {
  const { files, filesAProcess } = work;
  const reports = new Map<string, Report>();
  const left = [...files];
  const count = Math.max(1, Math.min(availableParallelism(), Math.ceil(files.length / filesAProcess)));
  await Promise.all(Array.from({ length: count }, () => runProcess(work, left, reports)));
  return reports;
}

async function runProcess<Report>(
  { program, options = {}, onDone }: FileProcesses,
  left: string[],
  reports: Map<string, Report>,
): Promise<void> {
  const child = fork(program, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = `${stderr}${text}`.slice(-4_000)));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // One that is dead says so by its exit.
  const send = (message: ToProcess): void => void child.send(message, () => undefined);
  let open = 0;
  const sendNext = (): void => {
    const file = left.shift();
    if (file !== undefined) {
      open += 1;
      send({ file });
    } else if (open === 0) send({ ends: true });
  };
  child.on('message', ({ file, report }: FileAnswer<Report>) => {
    reports.set(file, report);
    open -= 1;
    onDone();
    sendNext();
  });
  child.once('error', reject);
  child.once('exit', (code) => {
    if (code === 0) resolve();
    else reject(new Error(`the process of ${program} ended with ${code}: ${stderr.trim() || 'it said nothing'}`));
  });
  send({ options });
  for (let ahead = 0; ahead < sentAhead; ahead += 1) sendNext();
  try {
    await promise;
  } finally {
    child.kill();
  }
}
