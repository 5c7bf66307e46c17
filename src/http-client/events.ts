/**
 * The events of a response's stream. Read leniently: a field of the wrong type counts as absent, an event of an unknown
 * type is passed on, so that a newer gateway does not break an older client.
 */

interface StatedError {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** An item of an answer. */
export interface StreamItemFields {
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  readonly status?: string | undefined;
  readonly name?: string | undefined;
  readonly arguments?: string | undefined;
  /** Of a call of a tool that turnkeep or the provider runs, and of what asks for the approval of one. */
  readonly server_label?: string | undefined;
  /** What such a call came to. */
  readonly output?: string | undefined;
  /** What went wrong with it, in words. */
  readonly error?: string | undefined;
}

/** An event of OpenAI's Responses API, with the fields that a view of a turn needs. */
export interface StreamEvent {
  readonly type: string;
  readonly sequence_number?: number | undefined;
  readonly delta?: string | undefined;
  readonly content_index?: number | undefined;
  readonly summary_index?: number | undefined;
  /** Of the item that the event is about. */
  readonly item_id?: string | undefined;
  /** Of a call: all of them, once they are known. */
  readonly arguments?: string | undefined;
  readonly item?: StreamItemFields | undefined;
  readonly response?:
    | {
        readonly id?: string | undefined;
        readonly model?: string | undefined;
        readonly status?: string | undefined;
        readonly error?: StatedError | undefined;
        readonly incomplete_details?: { readonly reason?: string | undefined } | undefined;
      }
    | undefined;
  /** Of an `error` event, which has its code and message flat or nested. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly error?: StatedError | undefined;
}

/**
 * @param data of one server-sent event
 * @returns undefined for what is no event, such as `[DONE]`
 */
export function readEvent(data: string): StreamEvent | undefined {
  const event = recordOf(parse(data));
  const type = textOf(event?.['type']);
  if (event === undefined || type === undefined) return undefined;
  const item = recordOf(event['item']);
  const response = recordOf(event['response']);
  return {
    type,
    sequence_number: numberOf(event['sequence_number']),
    delta: textOf(event['delta']),
    content_index: numberOf(event['content_index']),
    summary_index: numberOf(event['summary_index']),
    item_id: textOf(event['item_id']),
    arguments: textOf(event['arguments']),
    item: item && itemOf(item),
    response: response && {
      id: textOf(response['id']),
      model: textOf(response['model']),
      status: textOf(response['status']),
      error: statedErrorOf(response['error']),
      incomplete_details: reasonOf(response['incomplete_details']),
    },
    code: textOf(event['code']),
    message: textOf(event['message']),
    error: statedErrorOf(event['error']),
  };
}

/** How a response ended. */
export type ResponseOutcome =
  | { readonly status: 'completed' | 'cancelled' }
  | { readonly status: 'incomplete'; readonly reason: string }
  | { readonly status: 'failed'; readonly code: string; readonly message: string };

/**
 * @returns undefined when this event does not end the response
 * @example
 *     import { GatewayClient, outcomeOf, streamResponse } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     for await (const update of streamResponse(client, { input: 'Hello' })) {
 *       if (update.type === 'event') console.log(outcomeOf(update.event)?.status);
 *     }
 */
export function outcomeOf({ type, response, error, code, message }: StreamEvent): ResponseOutcome | undefined {
  switch (type) {
    case 'response.completed':
      return { status: 'completed' };
    case 'response.incomplete': {
      const reason = response?.incomplete_details?.reason ?? 'unknown';
      return response?.status === 'cancelled' ? { status: 'cancelled' } : { status: 'incomplete', reason };
    }
    case 'response.failed':
      return failed(response?.error?.code, response?.error?.message);
    case 'error':
      return failed(error?.code ?? code, error?.message ?? message);
    default:
      return undefined;
  }
}

function failed(code = 'unknown', message = 'the gateway does not say why'): ResponseOutcome {
  return { status: 'failed', code, message };
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function itemOf(item: Readonly<Record<string, unknown>>): StreamItemFields {
  return {
    id: textOf(item['id']),
    type: textOf(item['type']),
    status: textOf(item['status']),
    name: textOf(item['name']),
    arguments: textOf(item['arguments']),
    server_label: textOf(item['server_label']),
    output: textOf(item['output']),
    error: errorTextOf(item['error']),
  };
}

/** A text, or OpenAI's object with texts in it. */
function errorTextOf(value: unknown): string | undefined {
  const error = recordOf(value);
  if (error === undefined) return textOf(value);
  const content: unknown = error['content'];
  const texts = Array.isArray(content) ? content.flatMap((part) => textOf(recordOf(part)?.['text']) ?? []) : [];
  return texts.length > 0 ? texts.join('') : textOf(error['message']);
}

function statedErrorOf(value: unknown): StatedError | undefined {
  const error = recordOf(value);
  return error && { code: textOf(error['code']), message: textOf(error['message']) };
}

function reasonOf(value: unknown): { readonly reason: string | undefined } | undefined {
  const details = recordOf(value);
  return details && { reason: textOf(details['reason']) };
}
