/** The parts an output item is made of, and how they fill. Pure. */
import { isWorkers, type Json, type MessagePart, type OutputItem } from '../item.ts';
import type { ResponseEvent } from './response-event.ts';

export type Part = Extract<ResponseEvent, { readonly part: unknown }>['part'];

export function partCount(item: OutputItem): number {
  if (item.type === 'message') return item.content.length;
  return item.type === 'reasoning' ? item.summary.length : 0;
}

export function withPart(item: OutputItem, part: Part): OutputItem {
  if (item.type === 'message' && part.type !== 'summary_text') return { ...item, content: [...item.content, part] };
  if (item.type === 'reasoning' && part.type === 'summary_text') return { ...item, summary: [...item.summary, part] };
  return item;
}

export function outputText(text: string): MessagePart {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

export function filled(part: Part, { text, annotations = [], logprobs = [] }: Filling): Part {
  if (part.type === 'refusal') return { ...part, refusal: text };
  return part.type === 'output_text' ? { ...part, text, annotations: [...annotations], logprobs: [...logprobs] } : { ...part, text };
}

/** What a part has so far. */
interface Filling {
  readonly text: string;
  readonly annotations?: readonly Json[];
  readonly logprobs?: readonly Json[];
}

/** An item of which a part may still be open. */
export interface Unfinished extends Filling {
  readonly item: OutputItem;
  readonly part: Part | undefined;
  /** What the open part, or the arguments of a call, have so far. */
  readonly text: string;
}

/** The item with what its open part has so far. */
export function withText(open: Unfinished): OutputItem {
  const { item, part, text } = open;
  if (item.type === 'function_call') return { ...item, arguments: text };
  if (item.type === 'custom_tool_call') return { ...item, input: text };
  if (item.type === 'mcp_call' && isWorkers(item)) return { ...item, arguments: text };
  return part === undefined ? item : withPart(item, filled(part, open));
}
