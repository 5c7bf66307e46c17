/** `turnkeep rerun --live`: the model is asked again, in a session of its own, and its answer is shown as it comes. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { outcomeOf } from '../../http-client/events.ts';
import { resumeResponse } from '../../http-client/resume.ts';
import { printable } from '../chat/screen.ts';
import type { GatewayFlags } from '../gateway/flags.ts';
import { openGateway, readAnswer, withGatewayErrors } from '../gateway/open.ts';
import { given } from '../lists/run.ts';
import { StartError } from '../start-error.ts';
import { readEdits } from './fork.ts';
import type { LiveFlags } from './live-flags.ts';

const response = z.looseObject({ id: z.string(), conversation: z.looseObject({ id: z.string() }).nullish() });

/**
 * Its text goes to stdout as it comes, its ids to stderr; with `json` the whole response to stdout, once it has its end.
 * @returns the exit code: 0 the turn completed, 1 it ended otherwise
 * @throws {GatewayError} when no gateway answers, or it refuses; {StartError} for a flag that cannot be read
 */
export async function runLive(
  turn: string,
  { from, set = [], edit, tools, json, url, apiKey, dataDir }: LiveFlags & GatewayFlags & { readonly json?: boolean },
): Promise<number> {
  const body = {
    ...(from === undefined ? {} : { from }),
    ...(set.length === 0 ? {} : { set: Object.fromEntries(set.map(changeOf)) }),
    ...(edit === undefined ? {} : { edit: readEdits(edit) }),
    ...(tools === undefined ? {} : { tools }),
  };
  const client = openGateway(given({ url, apiKey, dataDir }));
  return withGatewayErrors(client, async () => {
    const begun = readAnswer(response, await client.json('POST', `/turns/${encodeURIComponent(turn)}/rerun`, { body }), client);
    process.stderr.write(`${begun.id} in ${begun.conversation?.id ?? 'no session'}, which shares the past of ${turn}\n`);
    let status: string | undefined;
    for await (const update of resumeResponse(client, begun.id)) {
      if (update.type !== 'event') continue;
      const { event } = update;
      if (json !== true && event.type === 'response.output_text.delta') process.stdout.write(printable(event.delta ?? ''));
      if (outcomeOf(event) !== undefined) status = event.response?.status;
    }
    if (json === true) process.stdout.write(`${JSON.stringify(await client.json('GET', `/responses/${encodeURIComponent(begun.id)}`))}\n`);
    else process.stdout.write('\n');
    if (status !== 'completed') process.stderr.write(`It ended ${status ?? 'nobody knows how'}: turnkeep show ${begun.id}\n`);
    return status === 'completed' ? 0 : 1;
  });
}

/** Fields whose value is JSON; of the others it is the text itself. */
const structured = new Set(['tools', 'text', 'reasoning', 'tool_choice', 'temperature', 'top_p', 'max_output_tokens', 'max_tool_calls']);

function changeOf(change: string): readonly [string, unknown] {
  const [, name = '', given = ''] = /^(\w+)=(.*)$/s.exec(change) ?? [];
  if (name === '')
    throw new StartError(`--set ${change}: it has to be NAME=VALUE, such as --set model=gpt-5 or --set instructions=@new.txt`);
  const value = given.startsWith('@') ? readText(given.slice(1), name) : given;
  if (!structured.has(name)) return [name, value];
  try {
    return [name, JSON.parse(value)];
  } catch (error) {
    // A choice may be a word: auto, none, required.
    if (name === 'tool_choice' && /^\w+$/.test(value)) return [name, value];
    throw new StartError(`--set ${name}: its value has to be JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function readText(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartError(`--set ${name}=@${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
