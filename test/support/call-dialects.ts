/** Answers of calls whose arguments are any text, as a provider of either API sends them, and what it is told of such calls. */
import {
  chat,
  chatAnswer,
  done,
  end,
  type LoggedRequest,
  responsesAnswer,
  ResponsesWriter,
  type Script,
  sseHead,
} from '../../src/testing/model-server/index.ts';

interface Call {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** By the API that the provider speaks. */
export const callDialects = {
  chat: {
    calls: (...calls: readonly Call[]): Script => [
      sseHead,
      chat.role(),
      ...calls.map((call, index) => chat.toolCall(index, call)),
      chat.finish('tool_calls'),
      done,
      end,
    ],
    cut: (...calls: readonly Call[]): Script => [
      sseHead,
      chat.role(),
      ...calls.map((call, index) => chat.toolCall(index, call)),
      chat.finish('length'),
      done,
      end,
    ],
    answer: chatAnswer,
    /** The arguments and the output of each call in a request. */
    told: (request: LoggedRequest | undefined): readonly (readonly [string, string])[] => {
      const { messages } = JSON.parse(request?.bodyText ?? '{}') as { readonly messages: readonly ChatMessage[] };
      return messages.flatMap(({ tool_calls: calls = [] }) =>
        calls.map(({ id, function: { arguments: text } }) => [
          text,
          messages.find(({ tool_call_id: of }) => of === id)?.content ?? 'no output',
        ]),
      );
    },
  },
  responses: {
    calls: (...calls: readonly Call[]): Script => {
      const writer = new ResponsesWriter();
      return [
        sseHead,
        ...writer.begin(),
        ...calls.flatMap((call) => writer.functionCall(call.id, call.name, call.arguments)),
        ...writer.completed(),
        end,
      ];
    },
    cut: (...calls: readonly Call[]): Script => {
      const writer = new ResponsesWriter();
      return [
        sseHead,
        ...writer.begin(),
        ...calls.flatMap((call) => writer.functionCall(call.id, call.name, call.arguments)),
        ...writer.incomplete(),
        end,
      ];
    },
    answer: responsesAnswer,
    told: (request: LoggedRequest | undefined): readonly (readonly [string, string])[] => {
      const { input } = JSON.parse(request?.bodyText ?? '{}') as { readonly input: readonly InputItem[] };
      return input
        .filter(({ type }) => type === 'function_call')
        .map((call) => [
          call.arguments ?? '',
          input.find((item) => item.type === 'function_call_output' && item.call_id === call.call_id)?.output ?? 'no output',
        ]);
    },
  },
} as const;

interface ChatMessage {
  readonly content: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly arguments: string } }[];
  readonly tool_call_id?: string;
}

interface InputItem {
  readonly type: string;
  readonly call_id?: string;
  readonly arguments?: string;
  readonly output?: string;
}
