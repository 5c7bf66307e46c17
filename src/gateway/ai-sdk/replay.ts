/**
 * A running turn from the beginning of its message: a UI that resumes builds the message anew. So the earlier turns of the
 * message come first, each followed by the outputs that the client's own tools gave.
 */
import type { InputItem } from '../../domain/item.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { sseDone, type SsePayload, startTranslation, type Translator } from '../stream/encode.ts';
import type { AssistantMessage } from './assistant-messages.ts';
import { type PartsState, uiParts } from './parts.ts';

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
  for (const [index, turn] of turns.entries()) {
    if (index > 0) preface.push(...toolOutputs(inputs[index] ?? []));
    if (index < turns.length - 1) {
      const translate = startTranslation(uiParts({ isContinued: true }));
      for await (const rows of turnkeep.follow(turn.id, -1, signal)) preface.push(...translate(rows).filter(isWithinMessage));
    }
  }
  return { preface, translator: uiParts({ isContinued: true }) };
}

/** The end of a turn is not the end of a message that another turn continues. */
function isWithinMessage(payload: SsePayload): boolean {
  return payload !== sseDone && !('type' in payload && (payload.type === 'finish' || payload.type === 'abort' || payload.type === 'error'));
}

function toolOutputs(input: readonly InputItem[]): readonly SsePayload[] {
  return input.flatMap((item) =>
    item.type === 'function_call_output'
      ? [
          {
            type: 'tool-output-available',
            toolCallId: item.call_id,
            output: typeof item.output === 'string' ? parsedOutput(item.output) : item.output,
          },
        ]
      : [],
  );
}

/** The AI SDK's tools give JSON, which the transcript holds as text. */
export function parsedOutput(output: string): unknown {
  try {
    return JSON.parse(output) as unknown;
  } catch {
    return output;
  }
}
