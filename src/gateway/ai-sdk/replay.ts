/**
 * A running turn from the beginning of the message it belongs to. Whoever resumes builds that message anew, so the turns
 * before it, and what the client's own tools gave, are told first.
 */
import type { JournalRow, ResponseEvent } from '../../domain/response-event.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { done, type SsePayload, translating, type Translator } from '../stream/translation.ts';
import type { Answer } from './assistant-messages.ts';
import { type PartsState, uiParts } from './parts.ts';

export interface Replay {
  readonly preface: readonly SsePayload[];
  readonly translator: Translator<PartsState>;
}

export async function replayOf(turnkeep: Turnkeep, answer: Answer, signal: AbortSignal): Promise<Replay> {
  const [first] = answer;
  if (answer.length === 1) return { preface: [], translator: uiParts() };
  const preface: SsePayload[] = [{ type: 'start', messageId: first.id }];
  for (const [index, turn] of answer.entries()) {
    if (index > 0) preface.push(...outputFrames(turn));
    if (index < answer.length - 1) {
      for await (const rows of turnkeep.follow(turn.id, -1, signal))
        preface.push(...partsOf(rows, translating(uiParts({ isContinued: true }))));
    }
  }
  return { preface, translator: uiParts({ isContinued: true }) };
}

function partsOf(rows: readonly JournalRow[], translate: (event: ResponseEvent) => readonly SsePayload[]): readonly SsePayload[] {
  return rows.flatMap((row) => translate(JSON.parse(row.data) as ResponseEvent)).filter((frame) => !endsMessage(frame));
}

/** What ends a turn does not end the message, where another turn goes on with it. */
function endsMessage(frame: SsePayload): boolean {
  return frame === done || ('type' in frame && (frame.type === 'finish' || frame.type === 'abort' || frame.type === 'error'));
}

function outputFrames({ input }: TurnRow): readonly SsePayload[] {
  return input.flatMap((item) =>
    item.type === 'function_call_output'
      ? [
          {
            type: 'tool-output-available',
            toolCallId: item.call_id,
            output: typeof item.output === 'string' ? valueOf(item.output) : item.output,
          },
        ]
      : [],
  );
}

/** Tools of this door give JSON, which the model was told as text. */
function valueOf(output: string): unknown {
  try {
    return JSON.parse(output) as unknown;
  } catch {
    return output;
  }
}
