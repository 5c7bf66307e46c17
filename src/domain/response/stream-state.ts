/** The state of a response's event stream: what the events so far add up to. */
import type { Json, OutputItem } from '../item.ts';
import type { ResponseEvent } from './response-event.ts';
import { type Part, withPart, withText } from './response-part.ts';
import type { ResponseObject } from './response.ts';

/** An item of the output while it is written. */
export interface OpenItem {
  item: OutputItem;
  part: Part | undefined;
  /** The text of the open part so far, or the arguments or the input of the call. */
  text: string;
  /** Of the open part. */
  annotations: Json[];
  logprobs: Json[];
  isDone: boolean;
}

export class StreamState {
  readonly items: OpenItem[] = [];
  #nextSeq = 0;
  #response: ResponseObject | undefined;

  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** As the last event that carried one told it: its output is that of that moment. */
  get response(): ResponseObject {
    if (this.#response === undefined) throw new Error('a response stream begins with response.created');
    return this.#response;
  }

  get output(): readonly OutputItem[] {
    return this.items.map((open) => (open.isDone ? open.item : withText(open)));
  }

  item(index: number): OpenItem {
    const open = this.items[index];
    if (open === undefined) throw new Error(`a stream has no item ${index}`);
    return open;
  }

  /** Where the open item of this type stands; -1 where there is none. */
  openIndex(type: OutputItem['type']): number {
    return this.items.findIndex((open) => !open.isDone && open.item.type === type);
  }

  /** Applies one event. Throws when it is not the next one. */
  evolve(event: ResponseEvent): void {
    if (event.sequence_number !== this.#nextSeq) {
      throw new Error(`event ${event.sequence_number} where ${this.#nextSeq} was due: a stream is dense`);
    }
    this.#nextSeq += 1;
    switch (event.type) {
      case 'response.output_item.added':
        this.items[event.output_index] = opened(event.item);
        return;
      case 'response.output_item.done': {
        const open = this.item(event.output_index);
        open.item = event.item;
        open.part = undefined;
        open.isDone = true;
        return;
      }
      case 'response.content_part.added':
      case 'response.reasoning_summary_part.added': {
        const open = this.item(event.output_index);
        open.part = event.part;
        emptyPart(open);
        return;
      }
      case 'response.output_text.delta':
        // One by one: there may be more of them than a call takes arguments.
        for (const each of event.logprobs) this.item(event.output_index).logprobs.push(each);
        this.item(event.output_index).text += event.delta;
        return;
      case 'response.output_text.annotation.added':
        this.item(event.output_index).annotations.push(event.annotation);
        return;
      case 'response.refusal.delta':
      case 'response.reasoning_summary_text.delta':
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
      case 'response.mcp_call_arguments.delta':
        this.item(event.output_index).text += event.delta;
        return;
      case 'response.content_part.done':
      case 'response.reasoning_summary_part.done': {
        const open = this.item(event.output_index);
        open.item = withPart(open.item, event.part);
        open.part = undefined;
        emptyPart(open);
        return;
      }
      case 'response.output_text.done':
      case 'response.refusal.done':
      case 'response.reasoning_summary_text.done':
      case 'response.function_call_arguments.done':
      case 'response.mcp_call_arguments.done':
      case 'response.mcp_call.in_progress':
      case 'response.mcp_call.completed':
      case 'response.mcp_call.failed':
        return;
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress':
        this.#response = event.response;
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#response = event.response;
        // What its provider told of an item that was done stands here alone.
        event.response.output.forEach((item, index) => {
          this.item(index).item = item;
        });
        return;
      // What is in them comes with the end of the item.
      case 'response.custom_tool_call_input.done':
      case 'response.web_search_call.searching':
      default:
    }
  }
}

function opened(item: OutputItem): OpenItem {
  return { item, part: undefined, text: '', annotations: [], logprobs: [], isDone: false };
}

function emptyPart(open: OpenItem): void {
  open.text = '';
  open.annotations = [];
  open.logprobs = [];
}
