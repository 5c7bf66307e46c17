/**
 * OpenAI's streaming events, as far as turnkeep writes them. Key order is part of the bytes:
 * `type` first, `sequence_number` second, in every event.
 */
import type { Json, OutputItem, MessagePart } from '../item.ts';
import type { ResponseObject } from './response.ts';

type ResponseEventBody =
  | {
      readonly type:
        | 'response.created'
        | 'response.queued'
        | 'response.in_progress'
        | 'response.completed'
        | 'response.incomplete'
        | 'response.failed';
      readonly response: ResponseObject;
    }
  | {
      readonly type: 'response.output_item.added' | 'response.output_item.done';
      readonly output_index: number;
      readonly item: OutputItem;
    }
  | (PartAddress & {
      readonly type: 'response.content_part.added' | 'response.content_part.done';
      readonly part: MessagePart;
    })
  | (PartAddress & { readonly type: 'response.output_text.delta'; readonly delta: string; readonly logprobs: readonly Json[] })
  | (PartAddress & { readonly type: 'response.output_text.done'; readonly text: string; readonly logprobs: readonly Json[] })
  | (PartAddress & { readonly type: 'response.output_text.annotation.added'; readonly annotation_index: number; readonly annotation: Json })
  | (PartAddress & { readonly type: 'response.refusal.delta'; readonly delta: string })
  | (PartAddress & { readonly type: 'response.refusal.done'; readonly refusal: string })
  | (SummaryAddress & {
      readonly type: 'response.reasoning_summary_part.added' | 'response.reasoning_summary_part.done';
      readonly part: { readonly type: 'summary_text'; readonly text: string };
    })
  | (SummaryAddress & { readonly type: 'response.reasoning_summary_text.delta'; readonly delta: string })
  | (SummaryAddress & { readonly type: 'response.reasoning_summary_text.done'; readonly text: string })
  | (ItemAddress & { readonly type: 'response.function_call_arguments.delta'; readonly delta: string })
  | (ItemAddress & { readonly type: 'response.function_call_arguments.done'; readonly name: string; readonly arguments: string })
  | (ItemAddress & { readonly type: 'response.custom_tool_call_input.delta'; readonly delta: string })
  | (ItemAddress & { readonly type: 'response.custom_tool_call_input.done'; readonly input: string })
  | (ItemAddress & { readonly type: 'response.mcp_call_arguments.delta'; readonly delta: string })
  | (ItemAddress & { readonly type: 'response.mcp_call_arguments.done'; readonly arguments: string })
  | (ItemAddress & { readonly type: 'response.mcp_call.in_progress' | 'response.mcp_call.completed' | 'response.mcp_call.failed' })
  | (ItemAddress & { readonly type: OpaqueEventType });

/**
 * An event of an `OpaqueItem`, with all that the provider said in it. In truth any string that is not the type of another event:
 * this one stands for all.
 */
type OpaqueEventType = 'response.web_search_call.searching';

interface ItemAddress {
  readonly item_id: string;
  readonly output_index: number;
}
type PartAddress = ItemAddress & { readonly content_index: number };
type SummaryAddress = ItemAddress & { readonly summary_index: number };

type Numbered<Body> = Body extends unknown ? Body & { readonly sequence_number: number } : never;

/** An event as viewers get it: dense `sequence_number` from 0 per response. */
export type ResponseEvent = Numbered<ResponseEventBody>;
export type UnnumberedEvent = ResponseEventBody;

/** `type` and `sequence_number` come first, so that the bytes of an event read like OpenAI's. */
export function numbered({ type, ...rest }: UnnumberedEvent, sequence_number: number): ResponseEvent {
  return { type, sequence_number, ...rest } as ResponseEvent;
}

/** One row of the journal: the bytes of one event, exactly as they go to every viewer (T7). */
export interface JournalRow {
  readonly seq: number;
  readonly type: string;
  readonly data: string;
}

export function journalRowOf(event: ResponseEvent): JournalRow {
  return { seq: event.sequence_number, type: event.type, data: JSON.stringify(event) };
}
