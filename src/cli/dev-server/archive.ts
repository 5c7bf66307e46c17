/**
 * The official archive from temporal.download. Temporal's SDK could download it too, but not for us: that part of it is
 * in `@temporalio/testing`, starts the program at once, and checks no hash.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Build, type OnProgress, TEMPORAL_CLI_VERSION } from './release.ts';
import { run } from './run.ts';

const headersLimitMs = 10_000;
const silenceLimitMs = 30_000;
/** For the progress, where the server sends no `content-length`. */
const usualBytes = 44_000_000;

/** @returns the path of the program, inside `folder` */
export async function downloadArchive(build: Build, folder: string, onProgress: OnProgress, signal?: AbortSignal): Promise<string> {
  const silence = new AbortController();
  const abortAfter = (limitMs: number) => setTimeout(() => silence.abort(new Error(`nothing came for ${limitMs / 1000} s`)), limitMs);
  let timer = abortAfter(headersLimitMs);
  try {
    const url = `https://temporal.download/cli/archive/v${TEMPORAL_CLI_VERSION}?platform=${build.os}&arch=${build.arch}`;
    const response = await fetch(url, { signal: signal ? AbortSignal.any([silence.signal, signal]) : silence.signal }).catch(
      (error: unknown) => {
        throw new Error(`${url}: ${reasonOf(error)}`);
      },
    );
    if (!response.ok || response.body === null) throw new Error(`${url}: HTTP ${response.status}`);
    const total = Number(response.headers.get('content-length')) || usualBytes;
    let received = 0;
    const file = join(folder, 'temporal.tar.gz');
    await pipeline(
      Readable.fromWeb(response.body),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = abortAfter(silenceLimitMs);
          onProgress((received += chunk.length), total);
          yield chunk;
        }
      },
      createWriteStream(file),
    );
    const unpacked = await run('tar', ['-xzf', file, '-C', folder, 'temporal'], { limitMs: 120_000 });
    if (unpacked.code !== 0) throw new Error(`the archive cannot be unpacked: ${unpacked.lastLine}`);
    return join(folder, 'temporal');
  } finally {
    clearTimeout(timer);
  }
}

/** fetch says only "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
