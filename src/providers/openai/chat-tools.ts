/**
 * Tools in the terms of Chat Completions, which knows functions alone. A custom tool is a function of one text, `input`; a
 * function of a namespace has both names in its own. `CallNames` finds the way back: what a call of such a function means. Pure.
 */
import { createHash } from 'node:crypto';
import type { ChatCompletionTool, ChatCompletionToolChoiceOption } from 'openai/resources/chat/completions';
import type { CallItem } from '../../domain/item.ts';
import {
  type AllowedTools,
  type CustomTool,
  type FunctionTool,
  isAllowedTools,
  type Tool,
  type ToolChoice,
  type ToolReference,
} from '../../domain/response/response-settings.ts';
import { omitNullish } from '../json.ts';

/** A tool that a model can call through Chat Completions. */
interface Callable {
  readonly tool: FunctionTool | CustomTool;
  readonly namespace?: string;
  /** What the namespace is for. */
  readonly about?: string | null;
}

/** What a call of a function of Chat Completions is a call of. */
export interface CalledTool {
  readonly type: 'function' | 'custom';
  readonly name: string;
  readonly namespace?: string;
}

/** The name of the one argument that a custom tool has as a function. */
export const customInput = 'input';

export class CallNames {
  readonly #byChatName = new Map<string, Callable>();
  /** To the names there, from the tools' own. */
  readonly #byOwnName = new Map<string, string>();

  constructor(tools: readonly Tool[]) {
    const given = tools.flatMap((tool) => callablesOf(tool));
    // Offered twice, by the request and by an item, it is one: the first counts.
    const callables = [...new Map(given.toReversed().map((each) => [ownKey(each.namespace, each.tool.name), each])).values()].toReversed();
    // Functions keep their names, whatever the others are called.
    for (const callable of callables.toSorted((one, other) => Number(isRenamed(one)) - Number(isRenamed(other)))) {
      const name = chatName(callable.tool.name, callable.namespace);
      const isTaken = this.#byChatName.has(name);
      if (isTaken && !isRenamed(callable)) continue;
      const key = isTaken ? shortened(name, [callable.namespace, callable.tool.name]) : name;
      this.#byChatName.set(key, callable);
      this.#byOwnName.set(ownKey(callable.namespace, callable.tool.name), key);
    }
    // A choice may name a function of a namespace by its own name alone: the first of that name.
    for (const [key, { tool }] of this.#byChatName) {
      if (!this.#byOwnName.has(ownKey(undefined, tool.name))) this.#byOwnName.set(ownKey(undefined, tool.name), key);
    }
  }

  /** As the model knows them. */
  get all(): readonly string[] {
    return [...this.#byChatName.keys()];
  }

  /** Those that are no custom tools. */
  get functions(): readonly string[] {
    return [...this.#byChatName].flatMap(([name, { tool }]) => (tool.type === 'function' ? [name] : []));
  }

  /** Are there any that Chat Completions does not have under their own names? */
  get hasTranslated(): boolean {
    return [...this.#byChatName.values()].some(({ tool, namespace }) => tool.type === 'custom' || namespace !== undefined);
  }

  tools(): ChatCompletionTool[] {
    return [...this.#byChatName].map(([name, callable]) => ({ type: 'function', function: functionOf(name, callable) }));
  }

  choice(choice: ToolChoice): ChatCompletionToolChoiceOption {
    if (typeof choice === 'string') return choice;
    if (!isAllowedTools(choice)) {
      if (choice.type === 'namespace') return this.choice({ type: 'allowed_tools', mode: 'required', tools: [choice] });
      return { type: 'function', function: { name: this.#nameOf(choice) } };
    }
    const tools = this.#allowedBy(choice).map((name) => ({ type: 'function', function: { name } }));
    return { type: 'allowed_tools', allowed_tools: { mode: choice.mode, tools } };
  }

  /** The same for servers that know no `allowed_tools`, which is OpenAI's own: only what is allowed is offered. */
  narrowed(choice: ToolChoice): { readonly tools: ChatCompletionTool[]; readonly tool_choice: ChatCompletionToolChoiceOption } {
    const allowed: ToolChoice =
      typeof choice !== 'string' && choice.type === 'namespace' ? { type: 'allowed_tools', mode: 'required', tools: [choice] } : choice;
    if (typeof allowed === 'string' || !isAllowedTools(allowed)) return { tools: this.tools(), tool_choice: this.choice(choice) };
    const names = new Set(this.#allowedBy(allowed));
    const tools = [...this.#byChatName].flatMap(([name, callable]) =>
      names.has(name) ? [{ type: 'function', function: functionOf(name, callable) } as const] : [],
    );
    return { tools, tool_choice: allowed.mode };
  }

  #allowedBy({ tools }: AllowedTools): readonly string[] {
    return tools.flatMap((tool) => this.#namesOf(tool));
  }

  /** A namespace stands for all that is in it. */
  #namesOf(reference: ToolReference): readonly string[] {
    if (reference.type !== 'namespace') return [this.#nameOf(reference)];
    return [...this.#byChatName].flatMap(([key, { namespace }]) => (namespace === reference.name ? [key] : []));
  }

  /** The name of the function that this call is one of. A call may be older than the tools of this request. */
  nameOfCall({ name, namespace }: CallItem): string {
    return this.#nameOf({ type: '', name, ...(namespace === undefined ? {} : { namespace }) });
  }

  /** undefined: no tool of this name is offered. */
  called(chatName: string): CalledTool | undefined {
    const callable = this.#byChatName.get(chatName);
    if (callable === undefined) return undefined;
    const { tool, namespace } = callable;
    return { type: tool.type, name: tool.name, ...(namespace === undefined ? {} : { namespace }) };
  }

  #nameOf({ name = '', namespace }: ToolReference): string {
    return this.#byOwnName.get(ownKey(namespace, name)) ?? chatName(name, namespace);
  }
}

function ownKey(namespace: string | undefined, name: string): string {
  return JSON.stringify([namespace, name]);
}

function callablesOf(tool: Tool): readonly Callable[] {
  if (tool.type === 'function' || tool.type === 'custom') return [{ tool }];
  if (tool.type !== 'namespace') return [];
  return tool.tools
    .flatMap((member) => callablesOf(member))
    .map((callable) => ({ ...callable, namespace: tool.name, about: tool.description }));
}

function isRenamed({ namespace }: Callable): boolean {
  return namespace !== undefined;
}

/** OpenAI and others take 64 letters, digits, `_` and `-`; a name of the client's own goes as it is. */
function chatName(name: string, namespace: string | undefined): string {
  if (namespace === undefined) return name;
  const joined = `${namespace}__${name}`;
  const safe = joined.replaceAll(/[^\w-]/g, '_');
  return safe === joined && safe.length <= longestName ? safe : shortened(safe, [namespace, name]);
}

const longestName = 64;

function shortened(name: string, key: readonly (string | undefined)[]): string {
  const hash = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 8);
  return `${name.slice(0, longestName - hash.length - 1)}_${hash}`;
}

function functionOf(name: string, { tool, about }: Callable): FunctionShape {
  if (tool.type === 'function') {
    const { description, parameters, strict } = tool;
    return {
      name,
      ...omitNullish({ description: joined(about, description), parameters: parameters as FunctionShape['parameters'], strict }),
    };
  }
  const description = joined(about, tool.description, grammarOf(tool));
  const input = { type: 'string', description: 'The whole input of the tool, as plain text.' };
  const parameters = { type: 'object', properties: { [customInput]: input }, required: [customInput], additionalProperties: false };
  return { name, ...omitNullish({ description }), parameters };
}

type FunctionShape = Extract<ChatCompletionTool, { type: 'function' }>['function'];

function joined(...texts: readonly (string | null | undefined)[]): string | null {
  const said = texts.filter((text) => text !== null && text !== undefined && text !== '');
  return said.length === 0 ? null : said.join('\n\n');
}

function grammarOf({ format }: CustomTool): string | undefined {
  if (format?.['type'] !== 'grammar') return undefined;
  const { syntax, definition } = format;
  const kind = typeof syntax === 'string' ? syntax : 'lark';
  return typeof definition === 'string' ? `\`${customInput}\` must follow this grammar (${kind}):\n\n${definition}` : undefined;
}
