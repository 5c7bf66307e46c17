/** `turnkeep export`: turns of a gateway as files, each whole or not there. */
import { createWriteStream, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CallError } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { makeFolder } from '../../store/sqlite/make-folder.ts';
import { openGateway, readAnswer, withGatewayErrors } from '../gateway/open.ts';
import { given } from '../lists/run.ts';
import { readTurnPage } from '../lists/turn-text.ts';
import { Progress } from '../progress.ts';
import { StartError } from '../start-error.ts';
import type { ExportFlags } from './command.ts';

const longestPage = 100;

const calledSchema = z.object({
  steps: z.array(z.object({ calls: z.array(z.object({ turn: z.string().optional() })).optional() })),
});

/** @throws {GatewayError} when no gateway answers, or it refuses; {StartError} where a file cannot be written, or nothing is named */
export async function exportTurns(ids: readonly string[], flags: ExportFlags): Promise<void> {
  const { url, apiKey, dataDir, output, limit, failed, redact, json, ...named } = flags;
  const client = openGateway(given({ url, apiKey, dataDir }));
  const filter = given({ ...named, ...(failed === true ? { status: 'failed' } : {}) });
  if (ids.length === 0 && Object.keys(filter).length === 0) {
    throw new StartError('nothing is named: turnkeep export TURN…, or --since 1d (turnkeep export --help).');
  }
  if (ids.length > 0 && Object.keys(filter).length > 0) {
    throw new StartError(`--${Object.keys(filter)[0]} names turns, and so do the ids: use the one or the other.`);
  }
  const turns = ids.length > 0 ? ids : await withGatewayErrors(client, () => listIds(client, filter, limit));
  const target = targetOf(output, turns, redact === true);
  const progress = new Progress('exported', turns.length);
  const done = new Set<string>();
  for (const queue = [...turns]; queue.length > 0;) {
    const id = queue.shift() ?? '';
    if (done.has(id)) continue;
    done.add(id);
    const path = `/turns/${encodeURIComponent(id)}/export${redact === true ? '?redact=true' : ''}`;
    const bytes = await unlessGone(client, id, () => save(client, path, target.fileOf(id)));
    if (bytes === undefined) continue;
    if (target.isStdout) return;
    progress.step();
    if (json === true) process.stdout.write(`${JSON.stringify({ id, file: target.fileOf(id), bytes })}\n`);
    else if (turns.length === 1) process.stdout.write(`${target.fileOf(id)}\n`);
    const called = (await unlessGone(client, id, () => calledBy(client, id))) ?? [];
    if (target.isFolder) {
      queue.push(...called);
      progress.add(called.filter((each) => !done.has(each)).length);
    } else if (called.length > 0) {
      process.stderr.write(
        `turnkeep: the turns of the agents that it called are not in the file (${called.join(', ')}): -o DIRECTORY/ takes them along\n`,
      );
    }
  }
  progress.end();
  if (turns.length === 0) process.stderr.write('no such turns\n');
}

interface Target {
  readonly isStdout: boolean;
  readonly isFolder: boolean;
  readonly fileOf: (id: string) => string;
}

function targetOf(output: string | undefined, turns: readonly string[], isRedacted: boolean): Target {
  const isStdout = output === '-';
  const isThere = output !== undefined && statSync(output, { throwIfNoEntry: false })?.isDirectory() === true;
  const isFolder = !isStdout && output !== undefined && (isThere || output.endsWith('/') || turns.length !== 1);
  if (turns.length > 1 && (isStdout || output === undefined)) {
    throw new StartError(`there are ${turns.length} turns, and each is a file of its own: name a directory with -o DIRECTORY/.`);
  }
  if (isFolder) {
    try {
      makeFolder(resolve(output));
    } catch (error) {
      throw new StartError(`${output} cannot be made: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  // An id that a client chose may be words of its own.
  const names = new Map<string, string>();
  const nameOf = (id: string): string =>
    isRedacted && !/^resp_[0-9a-f]{48}$/.test(id) ? `turn-${names.size + 1}` : id.replaceAll(/[^\w.-]/g, '_');
  const fileOf = (id: string): string => {
    const known = names.get(id) ?? nameOf(id);
    names.set(id, known);
    const name = `${known}.turn.json`;
    return isFolder ? join(output, name) : (output ?? name);
  };
  return { isStdout, isFolder, fileOf };
}

async function listIds(
  client: GatewayClient,
  filter: { readonly [name: string]: string | undefined },
  limit: number,
): Promise<readonly string[]> {
  const query = new URLSearchParams(given(filter) as Record<string, string>);
  const ids: string[] = [];
  for (;;) {
    query.set('limit', String(Math.min(limit - ids.length, longestPage)));
    const page = readTurnPage(await client.json('GET', `/turns?${query.toString()}`), client);
    ids.push(...page.data.map(({ id }) => id));
    const last = ids.at(-1);
    if (!page.has_more || last === undefined || ids.length >= limit) return ids;
    query.set('after', last);
  }
}

/** A turn that is not there (any more) is said, and the others go on. */
async function unlessGone<T>(client: GatewayClient, id: string, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await withGatewayErrors(client, act);
  } catch (error) {
    if (!(error instanceof Error) || !(error.cause instanceof CallError) || !isRefused(error.cause, 404)) throw error;
    process.stderr.write(`turnkeep: there is no turn ${id}: it never was, was deleted, or is past retention\n`);
    process.exitCode = 1;
    return undefined;
  }
}

function isRefused({ failure }: CallError, status: number): boolean {
  return failure.type === 'refused' && failure.status === status;
}

/** Renamed into place: whoever reads the file has the whole of it. @returns its bytes */
async function save(client: GatewayClient, path: string, file: string): Promise<number> {
  let bytes = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for await (const chunk of withPatience(client, path)) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  if (file === '-') {
    for await (const chunk of body())
      if (!process.stdout.write(chunk)) await new Promise((drained) => process.stdout.once('drain', drained));
    return bytes;
  }
  const unfinished = `${file}.${process.pid}.part`;
  try {
    await pipeline(Readable.from(body()), createWriteStream(unfinished, { mode: 0o600 }));
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    if (error instanceof CallError) throw error;
    throw new StartError(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return bytes;
}

const againMs = 1_000;

/** As the gateway lets so many exports of a tenant run at once, this one waits its turn. */
async function* withPatience(client: GatewayClient, path: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    try {
      yield* client.bytes(path);
      return;
    } catch (error) {
      if (!(error instanceof CallError) || !isRefused(error, 429)) throw error;
      await sleep(againMs);
    }
  }
}

async function calledBy(client: GatewayClient, id: string): Promise<readonly string[]> {
  const { steps } = readAnswer(calledSchema, await client.json('GET', `/turns/${encodeURIComponent(id)}`), client);
  return steps.flatMap(({ calls = [] }) => calls.flatMap(({ turn }) => turn ?? []));
}
