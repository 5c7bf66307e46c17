/**
 * A model as a coding agent's provider has it: what it does next it knows from the conversation alone. So whatever is
 * lost or told twice on the way shows in what it does, and in the requests that it gets.
 */
import {
  chat,
  done,
  end,
  hold,
  httpError,
  type LoggedRequest,
  type ModelServerOptions,
  ResponsesWriter,
  type Script,
  sseHead,
} from '../../src/testing/model-server/index.ts';

/** What a request tells, whichever of the two APIs it came by; reasoning is not among it. */
export type Entry =
  | { readonly kind: 'message'; readonly role: string; readonly text: string }
  | { readonly kind: 'call'; readonly callId: string; readonly name: string; readonly input: string }
  | { readonly kind: 'output'; readonly callId: string; readonly text: string };

export interface ToolCall {
  readonly name: string;
  /** A function's arguments, or the text of a freeform tool. */
  readonly input: Readonly<Record<string, unknown>> | string;
}

/** The model's answer to one request, in the order in which it is sent. */
export interface Answer {
  readonly reasoning?: string;
  readonly text?: string;
  /** The stream stands still here until the gate of this name is opened. */
  readonly gate?: string;
  readonly textBehindGate?: string;
  readonly call?: ToolCall;
  /** Instead of an answer: a 400 with these words. */
  readonly refusal?: string;
}

export function scriptedModel(answerTo: (entries: readonly Entry[], request: LoggedRequest) => Answer): ModelServerOptions {
  let calls = 0;
  return {
    fallback: (request) => {
      const answer = answerTo(entriesOf(request), request);
      if (answer.refusal !== undefined) return refused(answer.refusal);
      if (answer.call !== undefined) calls += 1;
      return isChat(request) ? chatScript(answer, `call_${calls}`) : responsesScript(answer, `call_${calls}`);
    },
  };
}

export function entriesOf({ body }: LoggedRequest): readonly Entry[] {
  const { messages, input, instructions } = body as {
    readonly messages?: readonly ChatMessage[];
    readonly input?: readonly InputItem[] | string;
    readonly instructions?: string | null;
  };
  if (messages !== undefined) return messages.flatMap(entriesOfMessage);
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : (input ?? []);
  const first: Entry[] = instructions == null ? [] : [{ kind: 'message', role: 'developer', text: instructions }];
  return first.concat(items.flatMap(entriesOfItem));
}

/** The names of the tools that the model may call, those in namespaces too; hosted ones have none, and are named by their type. */
export function toolsOf({ body }: LoggedRequest): readonly string[] {
  const { tools = [], input } = body as { readonly tools?: readonly OfferedTool[]; readonly input?: readonly InputItem[] | string };
  const added = Array.isArray(input) ? input.flatMap((item: InputItem) => item.tools ?? []) : [];
  return [...tools, ...added].flatMap(namesOf);
}

function namesOf(tool: OfferedTool): readonly string[] {
  return tool.tools?.flatMap(namesOf) ?? [tool.function?.name ?? tool.custom?.name ?? tool.name ?? tool.type];
}

function refused(message: string): Script {
  return httpError(400, { error: { message, type: 'invalid_request_error', param: 'input', code: null } });
}

function isChat({ path }: LoggedRequest): boolean {
  return path.includes('/chat/completions');
}

interface OfferedTool {
  readonly type: string;
  readonly name?: string;
  readonly function?: { readonly name: string };
  readonly custom?: { readonly name: string };
  /** Of a namespace. */
  readonly tools?: readonly OfferedTool[];
}

interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function?: { readonly name: string; readonly arguments: string };
    readonly custom?: { readonly name: string; readonly input: string };
  }[];
}

interface InputItem {
  readonly type?: string;
  readonly role?: string;
  readonly content?: unknown;
  readonly call_id?: string;
  readonly name?: string;
  readonly arguments?: string;
  readonly input?: string;
  readonly output?: unknown;
  /** Of `additional_tools`. */
  readonly tools?: readonly OfferedTool[];
}

function entriesOfMessage({ role, content, tool_call_id: callId, tool_calls: calls = [] }: ChatMessage): Entry[] {
  if (role === 'tool') return [{ kind: 'output', callId: String(callId), text: textOf(content) }];
  const called = calls.map(({ id, function: of, custom }): Entry => {
    return { kind: 'call', callId: id, name: of?.name ?? custom?.name ?? '', input: of?.arguments ?? custom?.input ?? '' };
  });
  return [...said(role, content), ...called];
}

function entriesOfItem(item: InputItem): Entry[] {
  const { type = 'message', role = '', content, call_id: callId = '', name = '', output } = item;
  if (type === 'message') return said(role, content);
  if (type === 'function_call' || type === 'custom_tool_call') {
    return [{ kind: 'call', callId, name, input: item.arguments ?? item.input ?? '' }];
  }
  return type.endsWith('_call_output') ? [{ kind: 'output', callId, text: textOf(output) }] : [];
}

/** Nothing for an empty message: of an answer that was cut some clients keep that it had begun. */
function said(role: string, content: unknown): Entry[] {
  const text = textOf(content);
  return text === '' ? [] : [{ kind: 'message', role, text }];
}

function textOf(content: unknown): string {
  if (Array.isArray(content)) return content.map((part: { readonly text?: string }) => part.text ?? '').join('');
  return typeof content === 'string' ? content : '';
}

function chatScript({ reasoning, text, gate, textBehindGate, call }: Answer, callId: string): Script {
  return [
    sseHead,
    chat.role(),
    ...piecesOf(reasoning).map(chat.reasoning),
    ...piecesOf(text).map(chat.content),
    ...(gate === undefined ? [] : [hold(gate)]),
    ...piecesOf(textBehindGate).map(chat.content),
    ...(call === undefined ? [] : [chat.toolCall(0, { id: callId, name: call.name })]),
    ...piecesOf(inputOf(call)).map((piece) => chat.toolCall(0, { arguments: piece })),
    chat.finish(call === undefined ? 'stop' : 'tool_calls'),
    chat.usage(100, 20),
    done,
    end,
  ];
}

function responsesScript({ reasoning, text, gate, textBehindGate, call }: Answer, callId: string): Script {
  const writer = new ResponsesWriter();
  return [
    sseHead,
    ...writer.begin(),
    ...(reasoning === undefined ? [] : writer.encryptedReasoning(`sealed: ${reasoning}`, ...piecesOf(reasoning))),
    ...(text === undefined ? [] : writer.text(...piecesOf(text))),
    ...(gate === undefined ? [] : [hold(gate)]),
    ...(textBehindGate === undefined ? [] : writer.text(...piecesOf(textBehindGate))),
    ...(call === undefined ? [] : callScript(writer, call, callId)),
    ...writer.completed(100, 20),
    end,
  ];
}

function callScript(writer: ResponsesWriter, call: ToolCall, callId: string): Script {
  const pieces = piecesOf(inputOf(call));
  return typeof call.input === 'string'
    ? writer.customToolCall(callId, call.name, ...pieces)
    : writer.functionCall(callId, call.name, ...pieces);
}

function inputOf(call: ToolCall | undefined): string | undefined {
  return typeof call?.input === 'object' ? JSON.stringify(call.input) : call?.input;
}

/** As models send it. */
function piecesOf(text: string | undefined): readonly string[] {
  return text?.match(/.{1,9}/gsu) ?? [];
}
