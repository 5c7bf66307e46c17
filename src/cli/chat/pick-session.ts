/** The list of sessions, and a choice out of it by number. */
import { CallError } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import type { Lines } from './lines.ts';
import type { Screen } from './screen.ts';
import { isListMissing, listSessions, type Session, sessionLine } from './sessions.ts';

export interface PickOptions {
  readonly client: GatewayClient;
  readonly screen: Screen;
  /** undefined: in a pipe, where nobody can pick. */
  readonly lines: Lines | undefined;
}

const question = 'Number (Enter: none of them): ';
const questionOfMore = 'Number (m: more, Enter: none of them): ';

/**
 * @returns the id of the one picked
 * @throws {CallError} when there is no list
 */
export async function pickSession({ client, screen, lines }: PickOptions): Promise<string | undefined> {
  const shown: Session[] = [];
  for (;;) {
    const { sessions, hasMore } = await readPage(client, shown.at(-1)?.id);
    const first = shown.length + 1;
    shown.push(...sessions);
    if (shown.length === 0) {
      screen.notice('there are no sessions yet');
      return undefined;
    }
    for (const [index, session] of sessions.entries()) {
      screen.lines(`${String(first + index).padStart(4)}  ${sessionLine(session, Date.now())}`);
    }
    if (lines === undefined) return undefined;
    for (;;) {
      const choice = readChoice((await lines.next(hasMore ? questionOfMore : question)) ?? '', shown.length);
      if (choice === 'none') return undefined;
      if (choice === 'more' && hasMore) break;
      if (typeof choice === 'number') return shown[choice - 1]?.id;
      screen.notice(`a number from 1 to ${shown.length}`);
    }
  }
}

/** Every session, one a line. */
export async function printSessions(client: GatewayClient, screen: Screen): Promise<void> {
  let after: string | undefined;
  do {
    const { sessions, hasMore } = await readPage(client, after);
    for (const session of sessions) screen.lines(sessionLine(session, Date.now()), 'out');
    after = hasMore ? sessions.at(-1)?.id : undefined;
  } while (after !== undefined);
}

export function readChoice(answer: string, count: number): number | 'more' | 'none' | 'nonsense' {
  const word = answer.trim().toLowerCase();
  if (word === '') return 'none';
  if (word === 'm') return 'more';
  const number = /^\d{1,9}$/.test(word) ? Number(word) : 0;
  return number >= 1 && number <= count ? number : 'nonsense';
}

async function readPage(client: GatewayClient, after: string | undefined): ReturnType<typeof listSessions> {
  try {
    return await listSessions(client, after);
  } catch (error) {
    if (!isListMissing(error)) throw error;
    const message = 'this gateway is too old to list sessions: update it, or name one by its id (--session, /session)';
    throw new CallError({ type: 'refused', status: 405, code: 'no_list', message });
  }
}
