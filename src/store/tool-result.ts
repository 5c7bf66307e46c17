/** All that a call of a worker's tool came to, piece by piece: it may have any length, and whoever reads it any slowness (T12, T14). */
import type { ToolCallKey } from './ports/tool-calls.ts';
import type { Store } from './ports/store.ts';

/** What is in memory of it at once. */
const pieceBytes = 1_048_576;

export interface ToolResultStream {
  /** In bytes of UTF-8. */
  readonly totalBytes: number;
  /** Each is read when it is asked for. Throws where the turn is deleted meanwhile. */
  readonly pieces: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** @returns undefined: there is no such call, or it came to nothing (yet) */
export async function readToolResult(store: Pick<Store, 'readToolResult'>, call: ToolCallKey): Promise<ToolResultStream | undefined> {
  const first = await store.readToolResult(call, { offset: 0, limit: pieceBytes });
  if (first === undefined) return undefined;
  const { total: totalBytes } = first;
  async function* read(piece: typeof first): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let offset = 0;
    for (let next = piece; next !== undefined; next = await store.readToolResult(call, { offset, limit: pieceBytes })) {
      yield next.bytes;
      offset += next.bytes.length;
      if (offset >= totalBytes) return;
    }
    throw new Error('The result is gone: its turn was deleted.');
  }
  return { totalBytes, pieces: read(first) };
}
