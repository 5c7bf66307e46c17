/** Calls that wait for a person: how they are shown, asked about, and answered. */
import type { Lines } from './lines.ts';
import { oneLine } from './pieces.ts';
import type { Screen } from './screen.ts';
import type { ApprovalRequest } from './tool-calls.ts';

export interface ApprovalAnswer {
  readonly type: 'mcp_approval_response';
  readonly approval_request_id: string;
  readonly approve: boolean;
  /** Of a refusal: it is told to the model. */
  readonly reason?: string;
}

export type Decision = { readonly type: 'yes' | 'all' | 'later' | 'nonsense' } | { readonly type: 'no'; readonly reason: string };

const question = 'Allow it? (y, n, n and a reason, all, Enter: later) › ';
const help = 'y makes the call; n, or n and a reason, refuses it; all makes this and the rest; Enter leaves it for later';

/** Only the very words approve: a message that somebody began to type does not. */
export function readDecision(line: string): Decision {
  const words = line.trim();
  if (words === '') return { type: 'later' };
  if (/^y(es)?$/i.test(words)) return { type: 'yes' };
  if (/^a(ll)?$/i.test(words)) return { type: 'all' };
  const [, reason] = /^no?(?:[\s,:;.]+(.*))?$/is.exec(words) ?? [undefined, words];
  return reason === words ? { type: 'nonsense' } : { type: 'no', reason: reason ?? '' };
}

/** Asks about each of them. @returns the answers, for one request; undefined where the user leaves */
export async function askApprovals(
  asked: readonly ApprovalRequest[],
  { screen, lines }: { readonly screen: Screen; readonly lines: Lines },
): Promise<readonly ApprovalAnswer[] | undefined> {
  const answers: ApprovalAnswer[] = [];
  for (const [index, request] of asked.entries()) {
    const place = asked.length === 1 ? '' : `${index + 1} of ${asked.length}: `;
    screen.lines(`${place}${approvalText(request)}`);
    const decision = await decide(screen, lines);
    if (decision === undefined) return undefined;
    if (decision.type === 'all') return [...answers, ...asked.slice(index).map((each) => approvalAnswer(each, true))];
    if (decision.type === 'yes') answers.push(approvalAnswer(request, true));
    if (decision.type === 'no') answers.push(approvalAnswer(request, false, decision.reason));
  }
  return answers;
}

async function decide(screen: Screen, lines: Lines): Promise<Decision | undefined> {
  for (;;) {
    const line = await lines.next(question, { isUnseen: false });
    if (line === undefined) return undefined;
    const decision = readDecision(line);
    if (decision.type !== 'nonsense') return decision;
    screen.notice(help);
  }
}

function approvalAnswer({ id }: ApprovalRequest, approve: boolean, reason = ''): ApprovalAnswer {
  return { type: 'mcp_approval_response', approval_request_id: id, approve, ...(reason === '' ? {} : { reason }) };
}

/** More than anybody reads, and less than floods a terminal. */
const longestShown = 20_000;

/** What is asked for: the server, the tool and all of its arguments. */
export function approvalText({ server, tool, arguments: text }: ApprovalRequest): string {
  const own = server === 'turnkeep' ? '' : ` of the server ${oneLine(server)}`;
  const shown = visible(pretty(text));
  const left = shown.length - longestShown;
  const args = left <= 0 ? shown : `${shown.slice(0, longestShown)}\n… and ${left} more characters, which are not shown`;
  return `${visible(oneLine(tool) + own)} waits for your approval:\n${args.replaceAll(/^/gm, '  ')}`;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/**
 * As JSON writes them: control characters, and those that are not seen or turn the order of others around. With them, a model
 * could show a person something else than what is called.
 */
function visible(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Default_Ignorable_Code_Point}|[\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

export interface AnswerByCurl {
  /** Of the gateway, with `/v1`. */
  readonly url: string;
  readonly hasKey: boolean;
  readonly model: string | undefined;
  readonly session: string | undefined;
  readonly asked: readonly ApprovalRequest[];
}

/** A command for a shell that approves all of it. */
export function answerByCurl({ url, hasKey, model, session, asked }: AnswerByCurl): string {
  const body = {
    ...(model === undefined ? {} : { model }),
    ...(session === undefined ? {} : { conversation: session }),
    input: asked.map((request) => approvalAnswer(request, true)),
  };
  const key = hasKey ? ` -H "authorization: Bearer $TURNKEEP_API_KEY"` : '';
  return `curl ${url}/responses -H 'content-type: application/json'${key} -d ${quoted(JSON.stringify(body))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
