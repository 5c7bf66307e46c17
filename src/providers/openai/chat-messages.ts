/** Turns the items of a conversation into the messages of Chat Completions. Pure. */
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPart,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import {
  type CallItem,
  type InputMessage,
  type InputPart,
  isCall,
  type Item,
  type MessagePart,
  type ReasoningItem,
} from '../../domain/item.ts';
import { unsealFields } from '../../domain/prompt/sealed-fields.ts';
import { asArray, asRecord, omitNullish } from '../json.ts';
import { ChatReasoning } from './chat-reasoning.ts';
import { type CallNames, customInput } from './chat-tools.ts';
import { sendableArguments, sendableCallId, sendableName } from './earlier-calls.ts';
import { opaqueText, textOfPart } from '../../domain/prompt/in-words.ts';

type Part = InputPart | MessagePart;

export interface ChatMessagesOptions {
  /** OpenAI's own takes messages of any roles in any order. */
  readonly isOpenAiHost: boolean;
  /** The server takes members of messages and calls that OpenAI does not have. */
  readonly hasOwnFields: boolean;
  /** The model may call tools. */
  readonly hasTools: boolean;
  readonly names: CallNames;
}

export function chatMessages(items: readonly Item[], options: ChatMessagesOptions): ChatCompletionMessageParam[] {
  const { isOpenAiHost, hasTools } = options;
  const messages = new Messages(options, hasTools || items.some(isCall));
  for (const item of items) {
    switch (item.type) {
      case 'message':
        if (item.role === 'assistant') messages.addAnswer(joinedText(item.content));
        else messages.addPrompt(item);
        break;
      case 'function_call':
      case 'custom_tool_call':
        messages.addCall(callOf(item, options));
        break;
      case 'function_call_output':
      case 'custom_tool_call_output':
        messages.addOutput(
          sendableCallId(item.call_id, isOpenAiHost),
          typeof item.output === 'string' ? item.output : joinedText(item.output),
        );
        break;
      case 'reasoning':
        messages.addReasoning(item);
        break;
      case 'mcp_call':
      case 'mcp_approval_request':
      case 'web_search_call':
      default:
        // Of a turn that a provider of the Responses API has answered. New ones were refused (`domain/provider-capabilities.ts`).
        messages.addAnswer(opaqueText(item));
    }
  }
  return messages.all();
}

/** The calls of one answer, and the text and reasoning before them, are one message. */
class Messages {
  readonly reasoning: ChatReasoning;
  readonly #hasOwnFields: boolean;
  readonly #messages: ChatCompletionMessageParam[] = [];
  /** Of the last answer that has any. */
  #calls: ChatCompletionMessageFunctionToolCall[] = [];

  constructor({ hasOwnFields }: ChatMessagesOptions, hasTools: boolean) {
    this.#hasOwnFields = hasOwnFields;
    this.reasoning = new ChatReasoning(hasTools && hasOwnFields);
  }

  /** Of the answer whose message or call comes next; but the fields of calls come behind them. */
  addReasoning(item: ReasoningItem): void {
    const { calls, ...fields } = item.provider_fields ?? unsealFields(item.encrypted_content) ?? {};
    if (Object.keys(fields).length > 0) this.reasoning.read({ ...item, provider_fields: fields });
    if (!this.#hasOwnFields) return;
    for (const [n, own] of asArray(calls).entries()) {
      const call = this.#calls[n];
      if (call !== undefined) Object.assign(call, { ...asRecord(own), ...call });
    }
  }

  /** An empty answer says nothing, and servers refuse it. */
  addAnswer(text: string): void {
    if (text !== '') this.#pushAnswer({ role: 'assistant', content: text });
  }

  /** The calls of one step belong into one message, together with the text before them. */
  addCall(call: ChatCompletionMessageFunctionToolCall): void {
    const last = this.#messages.at(-1);
    const isContinued = last?.role === 'assistant' && last.tool_calls !== undefined;
    if (isContinued) this.#calls.push(call);
    else this.#calls = [call];
    if (last?.role !== 'assistant') {
      this.#pushAnswer({ role: 'assistant', content: null, tool_calls: this.#calls });
      return;
    }
    last.tool_calls = this.#calls;
    this.reasoning.attachTo(last);
  }

  #pushAnswer(message: ChatCompletionAssistantMessageParam): void {
    this.#messages.push(message);
    this.reasoning.attachTo(message);
  }

  addOutput(tool_call_id: string, content: string): void {
    // What came behind the calls is of their answer, too.
    const last = this.#messages.at(-1);
    if (last?.role === 'assistant' && last.tool_calls !== undefined) this.reasoning.attachTo(last);
    this.reasoning.drop();
    this.#messages.push({ role: 'tool', tool_call_id, content });
  }

  /** Of the user, or of the system. */
  addPrompt({ role, content }: InputMessage): void {
    this.reasoning.drop();
    // Only OpenAI knows the role `developer`; every server knows `system`.
    if (role !== 'user') {
      this.#messages.push({ role: 'system', content: joinedText(content) });
      return;
    }
    const parts = content.map(partOf);
    // Many servers take content only as a string: parts are sent only where there is an image or a file.
    const given = parts.every(({ type }) => type === 'text') ? joinedText(content) : parts;
    this.#messages.push({ role: 'user', content: given });
  }

  all(): ChatCompletionMessageParam[] {
    this.reasoning.complete(this.#messages);
    return this.#messages;
  }
}

function callOf(item: CallItem, { isOpenAiHost, hasOwnFields, names }: ChatMessagesOptions): ChatCompletionMessageFunctionToolCall {
  const args = item.type === 'function_call' ? sendableArguments(item.arguments) : JSON.stringify({ [customInput]: item.input });
  const own = {
    id: sendableCallId(item.call_id, isOpenAiHost),
    type: 'function',
    function: { name: sendableName(names.nameOfCall(item), isOpenAiHost), arguments: args },
  } as const;
  return hasOwnFields ? { ...item.provider_fields, ...own } : own;
}

function partOf(part: Part): ChatCompletionContentPart {
  if (part.type === 'input_image' && part.image_url !== undefined && part.file_id === undefined) {
    // `auto` is the default, and not every server knows the value.
    const detail = part.detail === 'auto' ? {} : { detail: part.detail };
    return { type: 'image_url', image_url: { url: part.image_url, ...detail } };
  }
  if (part.type === 'input_file' && part.file_url === undefined) {
    const { filename, file_data, file_id } = part;
    return { type: 'file', file: omitNullish({ filename, file_data, file_id }) };
  }
  return { type: 'text', text: textOfPart(part) };
}

function joinedText(parts: readonly Part[]): string {
  return parts.map(textOfPart).join('');
}
