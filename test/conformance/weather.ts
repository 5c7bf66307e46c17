/** A model that knows no weather, and asks for it by a tool where it is given one. */
import {
  chatAnswer,
  chatToolCalls,
  type LoggedRequest,
  type ModelServerOptions,
  responsesAnswer,
  responsesToolCalls,
  type Script,
} from '../../src/testing/model-server/index.ts';

interface Prompt {
  readonly messages?: readonly { readonly role: string; readonly content?: unknown }[];
  readonly input?: readonly { readonly type?: string; readonly role?: string; readonly output?: unknown }[];
  readonly tools?: readonly unknown[];
}

/** Asks for the weather of Oslo and Rome side by side; with both answers it says them. Without tools it says `Hello world`. */
export function weatherModel(): ModelServerOptions {
  let calls = 0;
  return {
    fallback: (request) => {
      const answers = outputsOf(request);
      if (answers.length > 0) return answer(request, ['It is ', answers.join(' and '), '.']);
      const { tools = [] } = request.body as Prompt;
      if (tools.length === 0) return answer(request, ['Hello', ' world']);
      calls += 2;
      const asked = [
        { id: `call_${calls - 1}`, name: 'weather', arguments: { city: 'Oslo' } },
        { id: `call_${calls}`, name: 'weather', arguments: { city: 'Rome' } },
      ];
      return isChat(request) ? chatToolCalls(...asked) : responsesToolCalls(...asked);
    },
  };
}

/** What the tools said at the end of a prompt. */
function outputsOf({ body }: LoggedRequest): string[] {
  const { messages, input } = body as Prompt;
  const all: (string | undefined)[] =
    messages?.map(({ role, content }) => (role === 'tool' ? textOf(content) : undefined)) ??
    input?.map(({ type, output }) => (type === 'function_call_output' ? textOf(output) : undefined)) ??
    [];
  const last = all.findLastIndex((text) => text === undefined);
  return all.slice(last + 1).map(String);
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return String(content);
  return content.map((part: { readonly text?: string }) => part.text ?? '').join('');
}

function isChat({ path }: LoggedRequest): boolean {
  return path.includes('/chat/completions');
}

function answer(request: LoggedRequest, pieces: readonly string[]): Script {
  return isChat(request) ? chatAnswer(...pieces) : responsesAnswer(...pieces);
}

/** What the tool knows. */
export function weatherOf(city: string): string {
  return city === 'Oslo' ? 'snow' : 'sun';
}

export const weatherParameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
} as const;
