/** One process of a replay. */
import { answer, incomingWork } from '../file-work.ts';
import { replayFiles, type ReplayOptions, silenceRuntime } from './replay-histories.ts';

silenceRuntime();
const { options, files } = await incomingWork();
for await (const report of replayFiles(files, options as ReplayOptions)) answer({ file: report[0]?.file ?? '', report });
process.exit(0);
