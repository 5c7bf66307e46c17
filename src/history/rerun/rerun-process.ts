/** One process of a rerun: one turn after the other, on a database of its own. */
import { BundleError, readBundle } from '../bundle.ts';
import { answer, incomingWork } from '../file-work.ts';
import type { FileReport } from './rerun-files.ts';
import { RerunDatabase } from './scene.ts';
import { rerunTurn } from './rerun.ts';

/** A file that is no turn is told of, and the others go on. @throws whatever else is wrong, which ends the process and all of the rerun */
async function reportOn(database: RerunDatabase, file: string): Promise<FileReport> {
  try {
    return { file, ...(await rerunTurn(database, await readBundle(file))) };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return { file, id: file, outcome: 'not_rerun', reason: error.message, events: 0, taken: [] };
  }
}

const { files } = await incomingWork();
const database = new RerunDatabase();
for await (const file of files) answer({ file, report: await reportOn(database, file) });
await database[Symbol.asyncDispose]();
process.exit(0);
