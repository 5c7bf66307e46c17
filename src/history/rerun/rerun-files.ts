/** Runs the turns of files again, in several processes. */
import { fileURLToPath } from 'node:url';
import { overFiles } from '../file-processes.ts';
import type { RerunReport } from './rerun.ts';

/** What became of the turn of a file. */
export interface FileReport extends RerunReport {
  readonly file: string;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const program = fileURLToPath(new URL(`./rerun-process.${extension}`, import.meta.url));

/**
 * In the order of the files.
 * @param onDone called for each once it is done
 * @throws where a process dies
 */
export async function rerunFiles(files: readonly string[], onDone: () => void = () => undefined): Promise<readonly FileReport[]> {
  const reports = await overFiles<FileReport>({ program, files, filesAProcess: 20, onDone });
  return files.flatMap((file) => reports.get(file) ?? []);
}
