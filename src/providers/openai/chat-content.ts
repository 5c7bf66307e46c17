/** The content and the reasoning of a chat delta, in the forms that providers give them: texts, lists of parts, objects. Pure. */
import type { Json } from '../../domain/item.ts';
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';

export interface ContentPart {
  readonly type: 'text' | 'refusal' | 'reasoning';
  readonly text: string;
}

/** The parts of `content` that have a text, in order. Mistral sends a list of thinking and text parts. */
export function contentParts(content: unknown): readonly ContentPart[] {
  if (typeof content === 'number') return [{ type: 'text', text: String(content) }];
  if (Array.isArray(content)) return content.flatMap(contentParts);
  const text = asText(content);
  if (text !== undefined) return [{ type: 'text', text }];
  const part = asRecord(content);
  if (part === undefined) return [];
  const kind = asText(part['type']) ?? '';
  if (/thinking|reasoning/.test(kind) || part['thinking'] !== undefined) {
    const thought = textIn(part['thinking'] ?? part['reasoning'] ?? part['text'] ?? part['content'] ?? part['summary']);
    return thought === '' ? [] : [{ type: 'reasoning', text: thought }];
  }
  if (asText(part['refusal']) !== undefined) return [{ type: 'refusal', text: textIn(part['refusal']) }];
  const said = textIn(part['text'] ?? part['content'] ?? part['value']);
  return said === '' ? [] : [{ type: 'text', text: said }];
}

export type ReasoningField = 'reasoning_content' | 'reasoning' | 'reasoning_details';

export interface ChatReasoning {
  readonly text: string;
  /** Where it came; undefined for a name that no server takes back. */
  readonly field: ReasoningField | undefined;
  /** OpenRouter's `reasoning_details`, as they came. */
  readonly details: readonly Json[];
}

/** undefined: none. Servers that send two of the fields say the same in both. */
export function reasoningOf(delta: JsonRecord): ChatReasoning | undefined {
  // On the hot path: most deltas have none.
  const { reasoning_content, reasoning, reasoning_details, thinking, reasoning_text, thinking_content } = delta;
  if (!(reasoning_content || reasoning || reasoning_details || thinking || reasoning_text || thinking_content)) return undefined;
  const details = asArray(reasoning_details) as readonly Json[];
  for (const field of ['reasoning_content', 'reasoning'] as const) {
    const text = textIn(delta[field]);
    if (text !== '') return { text, field: details.length > 0 ? 'reasoning_details' : field, details };
  }
  if (details.length > 0) return { text: textIn(details), field: 'reasoning_details', details };
  const text = textIn(thinking ?? reasoning_text ?? thinking_content);
  return text === '' ? undefined : { text, field: undefined, details };
}

/** Joins the pieces of one detail, which come in several chunks. */
export function joinDetails(details: readonly Json[], more: readonly Json[]): readonly Json[] {
  const joined = [...details];
  for (const each of more) {
    const last = asRecord(joined.at(-1));
    const next = asRecord(each);
    const name = next === undefined ? undefined : pieceNames.get(asText(next['type']) ?? '');
    const isRest =
      name !== undefined &&
      last?.['type'] === next?.['type'] &&
      last?.['index'] === next?.['index'] &&
      !isOther(last?.['id'], next?.['id']);
    if (!isRest) joined.push(each);
    else
      joined[joined.length - 1] = {
        ...last,
        ...tellingOf(next),
        [name]: `${asText(last?.[name]) ?? ''}${asText(next?.[name]) ?? ''}`,
      } as Json;
  }
  return joined;
}

/** By type of a detail: the member that comes in pieces. */
const pieceNames = new Map([
  ['reasoning.text', 'text'],
  ['reasoning.summary', 'summary'],
]);

function isOther(one: unknown, other: unknown): boolean {
  return asText(one) !== undefined && asText(other) !== undefined && one !== other;
}

/** The members that say something: a later piece leaves out what the first has told. */
function tellingOf(detail: JsonRecord | undefined): JsonRecord {
  return Object.fromEntries(Object.entries(detail ?? {}).filter(([, value]) => value !== null && value !== undefined));
}

/** All text in a value, whatever holds it; what is encrypted is none. */
function textIn(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textIn).join('');
  const part = asRecord(value);
  if (part === undefined) return '';
  return textIn(part['text'] ?? part['summary'] ?? part['content'] ?? part['thinking'] ?? part['reasoning'] ?? part['value']);
}
