/** Builds a Chat Completions request. Pure. Settings that this API does not have were rejected before (`domain/provider-capabilities.ts`). */
import type { ChatCompletionCreateParamsStreaming, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import type { ModelRequest } from '../../domain/model.ts';
import type { ResponseSettings, TextFormat } from '../../domain/response/response-settings.ts';
import { bringsTools, callableTools } from '../../domain/agents/tools.ts';
import { chatMessages } from './chat-messages.ts';
import { CallNames } from './chat-tools.ts';
import { omitNullish } from '../json.ts';
import { withShortIds } from './earlier-calls.ts';
import type { PromptForm } from './learned-forms.ts';
import { joinLeading, strictRoles } from './strict-roles.ts';

type Request = ChatCompletionCreateParamsStreaming;

type ChatForm = Pick<PromptForm, 'joinsRows' | 'hasShortIds'>;

const anyForm: ChatForm = { joinsRows: false, hasShortIds: false };

/** @param hasOwnFields the server takes members of messages and calls that OpenAI does not have */
export function chatRequest(
  { settings, items }: ModelRequest,
  isOpenAiHost: boolean,
  hasOwnFields = !isOpenAiHost,
  form: ChatForm = anyForm,
): Request {
  const { model, max_output_tokens } = settings;
  const names = new CallNames(callableTools({ settings, items }));
  return {
    model,
    messages: messagesOf({ settings, items }, { names, isOpenAiHost, hasOwnFields, form }),
    stream: true,
    stream_options: { include_usage: true },
    ...omitNullish({
      temperature: settings.temperature,
      top_p: settings.top_p,
      presence_penalty: settings.presence_penalty,
      frequency_penalty: settings.frequency_penalty,
      stop: settings.stop === null ? null : [...settings.stop],
      seed: settings.seed,
      // Other servers know only the old name, OpenAI's newer models only the new one.
      [isOpenAiHost ? 'max_completion_tokens' : 'max_tokens']: max_output_tokens,
      response_format: responseFormat(settings.text.format),
      verbosity: settings.text.verbosity,
      // Passed on unchecked: new models bring new values, and the provider rejects what it does not know.
      reasoning_effort: settings.reasoning.effort as Request['reasoning_effort'],
      service_tier: settings.service_tier as Request['service_tier'],
      safety_identifier: settings.safety_identifier,
      prompt_cache_key: settings.prompt_cache_key,
      prompt_cache_retention: settings.prompt_cache_retention as Request['prompt_cache_retention'],
      user: settings.user,
    }),
    ...toolSettings(settings, names, isOpenAiHost),
  };
}

interface MessagesOptions {
  readonly names: CallNames;
  readonly isOpenAiHost: boolean;
  readonly hasOwnFields: boolean;
  readonly form: ChatForm;
}

function messagesOf({ settings, items }: ModelRequest, options: MessagesOptions): ChatCompletionMessageParam[] {
  const { names, isOpenAiHost, hasOwnFields, form } = options;
  // What items bring is among the tools: here they would part the messages of the system that lead.
  const given = { instructions: settings.instructions, items: items.filter((item) => !bringsTools(item)) };
  const prompt = isOpenAiHost ? joinLeading(given) : strictRoles(given, form.joinsRows);
  const told = form.hasShortIds ? withShortIds(prompt.items) : prompt.items;
  const messages = chatMessages(told, { isOpenAiHost, hasOwnFields, hasTools: names.all.length > 0, names });
  return prompt.instructions === null ? messages : [{ role: 'system', content: prompt.instructions }, ...messages];
}

function toolSettings({ tool_choice, parallel_tool_calls }: ResponseSettings, names: CallNames, isOpenAiHost: boolean): Partial<Request> {
  if (names.all.length > 0) {
    const tools = names.tools();
    if (tool_choice === null) return { tools, ...omitNullish({ parallel_tool_calls }) };
    const given = isOpenAiHost ? { tools, tool_choice: names.choice(tool_choice) } : names.narrowed(tool_choice);
    if (given.tools.length > 0) return { ...given, ...omitNullish({ parallel_tool_calls }) };
    // None of those that are allowed is offered.
    return given.tool_choice === 'required' ? { tool_choice: 'required' } : {};
  }
  // Without tools OpenAI rejects both settings, though many clients send them. `auto` and `none` change nothing and are
  // left out; a demanded call is sent, so that the provider's error names what is missing.
  return tool_choice === null || tool_choice === 'auto' || tool_choice === 'none' ? {} : { tool_choice: names.choice(tool_choice) };
}

function responseFormat(format: TextFormat): Request['response_format'] | null {
  if (format.type === 'text') return null;
  if (format.type === 'json_object') return { type: 'json_object' };
  const { name, description, schema, strict } = format;
  return { type: 'json_schema', json_schema: { name, schema, ...omitNullish({ description, strict }) } };
}
