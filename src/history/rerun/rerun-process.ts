/** One process of a rerun: gets files by messages, one after the other, and answers with what became of their turns. */
import { BundleError, readBundle } from '../bundle.ts';
import type { FileReport } from './rerun-files.ts';
import { RerunDatabase } from './scene.ts';
import { rerunTurn } from './rerun.ts';

const database = new RerunDatabase();
let working: Promise<void> = Promise.resolve();

async function reportOn(file: string): Promise<FileReport> {
  try {
    return { file, ...(await rerunTurn(database, await readBundle(file))) };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return { file, id: file, outcome: 'not_rerun', reason: error.message, events: 0, taken: [] };
  }
}

async function work(file: string): Promise<void> {
  if (file !== '') {
    process.send?.(await reportOn(file));
    return;
  }
  await database[Symbol.asyncDispose]();
  process.exit(0);
}

process.on('message', (file: string) => {
  working = working.then(() => work(file));
  working.catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
});
// Whoever asked is gone.
process.once('disconnect', () => process.exit(1));
