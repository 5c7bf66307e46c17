/** The parts of a message as a done event, or the whole response, has it. Pure. */
import { asArray, asRecord, asText, type JsonRecord } from '../json.ts';
import { type SaidItem, saidOf, type TextKind } from './said-texts.ts';

/** Of a message. */
export const textKinds = ['text', 'refusal'] as const;

interface WholePart {
  readonly kind: 'text' | 'refusal';
  readonly text: string;
  readonly annotations: readonly unknown[];
}

export function partsOf(item: JsonRecord): readonly WholePart[] {
  return asArray(item['content']).map((each): WholePart => {
    const part = asRecord(each) ?? {};
    const refusal = asText(part['refusal']);
    const annotations = asArray(part['annotations']);
    return refusal === undefined
      ? { kind: 'text', text: asText(part['text']) ?? '', annotations }
      : { kind: 'refusal', text: refusal, annotations };
  });
}

/** The place that the deltas gave the part: servers leave it out where there is only one. */
export function placeOf(item: SaidItem, kind: TextKind, at: number): string {
  return at === 0 && item.parts.has(`${kind} `) ? '' : `c${at}`;
}

export function textIn(item: JsonRecord, kind: TextKind): string {
  let all = '';
  for (const part of partsOf(item)) if (part.kind === kind) all += part.text;
  return all;
}

/** Is this the end of that message, told again, or under another id where nothing else tells items apart? */
export function isTwin(message: SaidItem, item: JsonRecord, index: unknown): boolean {
  const said = saidOf(message, 'text');
  const whole = textIn(item, 'text');
  if (message.isDone) return message.id !== undefined && message.id === item['id'] && message.index === index && said === whole;
  return typeof index !== 'number' && said !== '' && whole.startsWith(said);
}
