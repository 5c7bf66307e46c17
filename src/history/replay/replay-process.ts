/** One process of a replay: gets files by messages, and answers with what became of their runs. */
import { replayFiles, type ReplayOptions, silenceRuntime } from './replay-histories.ts';

/** To the process. The first one says on which code; one without a file ends it. */
export type ToProcess = ReplayOptions | { readonly file?: string };

async function* messages(): AsyncGenerator<ToProcess> {
  const queue: ToProcess[] = [];
  let wake = Promise.withResolvers<void>();
  process.on('message', (message: ToProcess) => {
    queue.push(message);
    wake.resolve();
  });
  // Whoever asked is gone.
  process.once('disconnect', () => process.exit(1));
  for (;;) {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) yield next;
    await wake.promise;
    wake = Promise.withResolvers();
  }
}

async function* filesOf(incoming: AsyncGenerator<ToProcess>): AsyncGenerator<string> {
  for (let next = await incoming.next(); next.done !== true; next = await incoming.next()) {
    if (!('file' in next.value) || next.value.file === undefined) return;
    yield next.value.file;
  }
}

silenceRuntime();
const incoming = messages();
const { value: options } = await incoming.next();
for await (const reports of replayFiles(filesOf(incoming), options as ReplayOptions)) process.send?.(reports);
process.exit(0);
