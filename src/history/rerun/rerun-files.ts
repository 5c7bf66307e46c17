/** Runs the turns of files again, in several processes: one core is one process's. */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { RerunReport } from './rerun.ts';

/** What became of the turn of a file. */
export interface FileReport extends RerunReport {
  readonly file: string;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const processPath = fileURLToPath(new URL(`./rerun-process.${extension}`, import.meta.url));

/** A process takes a part of a second to begin: fewer files than this are not worth another one. */
const filesAProcess = 20;

/** Files that are sent to a process before it has answered: it never waits for the next one. */
const sentAhead = 4;

/**
 * In the order of the files.
 * @param onDone called for each once it is done
 * @throws where a process dies
 */
export async function rerunFiles(files: readonly string[], onDone: () => void = () => undefined): Promise<readonly FileReport[]> {
  const reports = new Map<string, FileReport>();
  const left = [...files];
  const count = Math.max(1, Math.min(availableParallelism(), Math.ceil(files.length / filesAProcess)));
  const note = (report: FileReport): void => {
    reports.set(report.file, report);
    onDone();
  };
  await Promise.all(Array.from({ length: count }, () => runProcess(left, note)));
  return files.flatMap((file) => reports.get(file) ?? []);
}

async function runProcess(left: string[], note: (report: FileReport) => void): Promise<void> {
  const child = fork(processPath, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = `${stderr}${text}`.slice(-4_000)));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let open = 0;
  const sendNext = (): void => {
    const file = left.shift();
    if (file !== undefined) {
      open += 1;
      send(child, file);
    } else if (open === 0) send(child, '');
  };
  child.on('message', (report: FileReport) => {
    open -= 1;
    note(report);
    sendNext();
  });
  child.once('error', reject);
  child.once('exit', (code) => {
    if (code === 0) resolve();
    else reject(new Error(`a process of the rerun ended with ${code}: ${stderr.trim() || 'it said nothing'}`));
  });
  for (let ahead = 0; ahead < sentAhead; ahead += 1) sendNext();
  try {
    await promise;
  } finally {
    child.kill();
  }
}

/** @param file empty: there are no more */
function send(child: ChildProcess, file: string): void {
  // One that is dead says so by its exit.
  child.send(file, () => undefined);
}
