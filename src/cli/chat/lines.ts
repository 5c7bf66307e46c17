/** Where the user's messages come from. */
import { createInterface } from 'node:readline';

export interface Lines {
  /** One message; undefined when there are no more. `prompt` is shown where somebody can see it. */
  next(prompt: string): Promise<string | undefined>;
  /** What is typed and not sent yet is dropped. */
  clear(): void;
  /** A line of ours while the user types. */
  interject(text: string): void;
  close(): void;
}

/** A pipe: a message a line, read no faster than it is answered. */
export function pipedLines(input: NodeJS.ReadableStream): Lines {
  const reader = createInterface({ input, crlfDelay: Infinity, terminal: false });
  const lines = reader[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await lines.next();
      return done === true ? undefined : value;
    },
    clear() {},
    interject() {},
    close: () => reader.close(),
  };
}
