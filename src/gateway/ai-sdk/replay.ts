/**
 * A running turn from the beginning of its message: a UI that resumes builds the message anew. So the earlier turns of the
 * message come first, each followed by the outputs that the client's own tools gave.
 */
import { type ApprovalResponse, approvalResponseOf } from '../../domain/agents/approval.ts';
import type { InputItem } from '../../domain/item.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { sseDone, type SsePayload, startTranslation, type Translator } from '../stream/encode.ts';
import type { AssistantMessage } from './assistant-messages.ts';
import { callIdOf, type PartsState, uiParts } from './parts.ts';
import { parsedOutput } from './worker-parts.ts';

export interface Replay {
  /** The message up to the running turn. */
  readonly preface: readonly SsePayload[];
  readonly translator: Translator<PartsState>;
}

/** @param message ends with the turn that runs */
export async function replayOf(turnkeep: Turnkeep, { turns, inputs }: AssistantMessage, signal: AbortSignal): Promise<Replay> {
  const [first] = turns;
  if (first === undefined || turns.length === 1) return { preface: [], translator: uiParts() };
  const preface: SsePayload[] = [{ type: 'start', messageId: first.publicId }];
  const callIds: string[] = [];
  /** The requests for approvals so far. */
  const asked = new Set<string>();
  let answered: readonly ApprovalResponse[] = [];
  /** What the UI calls those of the turn before. */
  let called: string[] = [];
  for (const [index, turn] of turns.entries()) {
    if (index > 0) {
      preface.push(...toolOutputs(inputs[index] ?? [], called));
      callIds.push(...called.map(callIdOf));
      answered = (inputs[index] ?? []).flatMap((item) => approvalResponseOf(item) ?? []).filter(({ id }) => asked.has(id));
    }
    if (index < turns.length - 1) {
      const translate = startTranslation(uiParts({ isContinued: true, callIds, answered }));
      const from = preface.length;
      for await (const rows of turnkeep.follow(turn.id, -1, signal)) preface.push(...translate(rows).filter(isWithinMessage));
      called = preface.slice(from).flatMap((payload) => startedCall(payload) ?? []);
      for (const payload of preface.slice(from)) {
        if (typeof payload === 'object' && 'approvalId' in payload) asked.add(String(payload.approvalId));
      }
    }
  }
  return { preface, translator: uiParts({ isContinued: true, callIds, answered }) };
}

function startedCall(payload: SsePayload): string | undefined {
  if (
    typeof payload === 'string' ||
    !('toolCallId' in payload) ||
    !('type' in payload) ||
    payload.type !== 'tool-input-start' ||
    'providerExecuted' in payload
  )
    return undefined;
  return String(payload.toolCallId);
}

/** The end of a turn is not the end of a message that another turn continues. */
function isWithinMessage(payload: SsePayload): boolean {
  return payload !== sseDone && !('type' in payload && (payload.type === 'finish' || payload.type === 'abort' || payload.type === 'error'));
}

/** @param called what the UI calls the calls that these are the outputs of: several of one id in their order */
function toolOutputs(input: readonly InputItem[], called: readonly string[]): readonly SsePayload[] {
  const open = [...called];
  return input.flatMap((item) => {
    if (item.type !== 'function_call_output') return [];
    const at = open.findIndex((toolCallId) => callIdOf(toolCallId) === item.call_id);
    const [toolCallId = item.call_id] = at === -1 ? [] : open.splice(at, 1);
    const output = typeof item.output === 'string' ? parsedOutput(item.output) : item.output;
    return [{ type: 'tool-output-available', toolCallId, output }];
  });
}
