/** One process of `overFiles`: gets files by messages, and answers with what became of each. */

/** The first one has the options, the last one ends the process. */
export type ToProcess = { readonly options: object } | { readonly file: string } | { readonly ends: true };

export interface FileAnswer<Report> {
  readonly file: string;
  readonly report: Report;
}

/** @returns what the process was told first, and the files as they come, until there are no more */
export async function incomingWork(): Promise<{ readonly options: object; readonly files: AsyncGenerator<string> }> {
  const incoming = messages();
  const { value: first } = await incoming.next();
  async function* files(): AsyncGenerator<string> {
    for await (const message of incoming) {
      if (!('file' in message)) return;
      yield message.file;
    }
  }
  return { options: first !== undefined && 'options' in first ? first.options : {}, files: files() };
}

export function answer<Report>(answered: FileAnswer<Report>): void {
  process.send?.(answered);
}

async function* messages(): AsyncGenerator<ToProcess, undefined> {
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
