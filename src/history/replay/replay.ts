/** Replays files on workflow code, in several processes: the SDK replays one history at a time in each. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { overFiles } from '../file-processes.ts';
import type { ReplayOptions, ReplayReport } from './replay-histories.ts';

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
const program = fileURLToPath(new URL(`./replay-process.${extension}`, import.meta.url));

/** Of the interceptor, for bundling it with the workflow code. */
export const tracePath = fileURLToPath(new URL(`./trace-commands.${extension}`, import.meta.url));

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
    const options = { codePath, isTraced } satisfies ReplayOptions;
    const onDone = isTraced && plain !== undefined ? () => undefined : onReplayed;
    return overFiles({ program, files: which, filesAProcess: 50, options, onDone });
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
