/** `turnkeep fork`: a new session that shares the past of a turn. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { openGateway, readAnswer, withGatewayErrors } from '../gateway/open.ts';
import { StartError } from '../start-error.ts';
import type { ForkFlags } from './command.ts';

const conversation = z.looseObject({ id: z.string() });

/** @throws {GatewayError} when no gateway answers, or it refuses; {StartError} where the file of edits is none */
export async function runFork(turn: string, { at: step, edit: file, json, ...target }: ForkFlags): Promise<void> {
  const edit = file === undefined ? undefined : readEdits(file);
  const client = openGateway(target);
  const made = await withGatewayErrors(client, async () => {
    const body = { ...(step === undefined ? {} : { step }), ...(edit === undefined ? {} : { edit }) };
    return readAnswer(conversation, await client.json('POST', `/turns/${encodeURIComponent(turn)}/fork`, { body }), client);
  });
  process.stdout.write(`${json === true ? JSON.stringify(made) : made.id}\n`);
}

/** @returns the items of a file: one, or a list of them. @throws {StartError} naming the file */
export function readEdits(file: string): readonly unknown[] {
  try {
    const edits: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(edits) ? edits : [edits];
  } catch (error) {
    throw new StartError(`--edit ${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
