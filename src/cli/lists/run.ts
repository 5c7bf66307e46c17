/** `turnkeep turns` and `turnkeep sessions`: a list of the gateway, read in pages, on stdout. */
import type { GatewayClient } from '../../http-client/calls.ts';
import { openGateway, withGatewayErrors } from '../gateway/open.ts';
import { printable } from '../chat/screen.ts';
import { readSessionPage, sessionLine, sessionText } from '../chat/sessions.ts';
import { readTurnPage, turnText } from './turn-text.ts';
import type { SessionsFlags, TurnsFlags } from './command.ts';

const longestPage = 100;

interface Page {
  readonly data: readonly { readonly id: string }[];
  readonly has_more: boolean;
}

/** @throws {GatewayError} when no gateway answers, or it refuses the key or a flag; {ConfigError} when its address is none */
export async function listTurns({ limit, json, url, apiKey, dataDir, ...filter }: TurnsFlags): Promise<void> {
  const client = openGateway({ ...given({ url, apiKey, dataDir }) });
  const { stdout } = process;
  await print(client, { limit, query: new URLSearchParams(given(filter)), path: '/turns', nothing: 'no such turns' }, (page) => {
    const { data } = readTurnPage(page, client);
    return json === true ? jsonLines(page) : data.map((turn) => turnText(turn, Date.now(), stdout));
  });
}

/** @throws as `listTurns` */
export async function listSessions({ limit, json, url, apiKey, dataDir, ...filter }: SessionsFlags): Promise<void> {
  const client = openGateway({ ...given({ url, apiKey, dataDir }) });
  const { stdout } = process;
  await print(
    client,
    { limit, query: new URLSearchParams({ order: 'desc', ...given(filter) }), path: '/conversations', nothing: 'no sessions yet' },
    (page) => {
      const { sessions } = readSessionPage(page, client);
      if (json === true) return jsonLines(page);
      const now = Date.now();
      return sessions.map((session) => (stdout.isTTY ? sessionText(session, now, stdout) : printable(sessionLine(session, now))));
    },
  );
}

interface List {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly limit: number;
  /** Said where there is none, to a person. */
  readonly nothing: string;
}

/** @param show checks a page, and makes lines of it */
async function print(
  client: GatewayClient,
  { path, query, limit, nothing }: List,
  show: (page: unknown) => readonly string[],
): Promise<void> {
  const { stdout } = process;
  for (let left = limit; left > 0;) {
    query.set('limit', String(Math.min(left, longestPage)));
    const page = await withGatewayErrors(client, async () => {
      const answer = await client.json('GET', `${path}?${query.toString()}`);
      for (const line of show(answer)) stdout.write(`${line}\n`);
      return answer as Page;
    });
    if (page.data.length === 0 && left === limit && stdout.isTTY) process.stderr.write(`${nothing}\n`);
    const last = page.data.at(-1);
    if (!page.has_more || last === undefined) return;
    left -= page.data.length;
    query.set('after', last.id);
  }
}

function jsonLines(page: unknown): string[] {
  return (page as Page).data.map((each) => JSON.stringify(each));
}

export function given<T extends Readonly<Record<string, string | undefined>>>(flags: T): { [Name in keyof T]?: string } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as { [Name in keyof T]?: string };
}
