/** The tools of one turn: what the model is offered, and which tool a call of it means. */
import { type FunctionTool, isAllowedTools, type ToolChoice, type ToolReference } from '../domain/response/response-settings.ts';
import type { McpRequest } from '../domain/agents/mcp-request.ts';
import { functionNames } from '../domain/agents/function-names.ts';
import { localServerLabel, type ToolList, type WorkerTool } from './tool.ts';

export class TurnTools {
  readonly lists: readonly ToolList[];
  readonly #byFunction: ReadonlyMap<string, WorkerTool>;

  /** @param taken names of the client's own functions */
  constructor(lists: readonly ToolList[], taken: Iterable<string> = []) {
    this.lists = lists;
    const tools = lists.flatMap((list) => list.tools);
    const names = functionNames(tools, localServerLabel, taken);
    this.#byFunction = new Map(tools.map((tool, index) => [names[index] ?? tool.name, tool]));
  }

  /** As the model is offered them. */
  get functions(): readonly FunctionTool[] {
    return Array.from(this.#byFunction, ([name, { description, inputSchema }]) => ({
      type: 'function',
      name,
      description,
      parameters: inputSchema,
      strict: false,
    }));
  }

  /** @param name of a function as the model called it */
  called(name: string): WorkerTool | undefined {
    return this.#byFunction.get(name);
  }

  /** A choice in the terms of the functions that the model is offered, where it names tools by their server. */
  choice(choice: ToolChoice | null): ToolChoice | null {
    if (choice === null || typeof choice === 'string') return choice;
    if (isAllowedTools(choice)) {
      const tools = choice.tools.flatMap((each) => this.#functionsOf(each) ?? [each]);
      if (tools.length === 0) return choice.mode === 'required' ? 'auto' : 'none';
      return { ...choice, tools };
    }
    const functions = this.#functionsOf(choice);
    if (functions === undefined) return choice;
    const [first, ...others] = functions;
    // A server that is down has none to be called.
    if (first === undefined) return 'auto';
    return others.length === 0 ? first : { type: 'allowed_tools', mode: 'required', tools: functions };
  }

  /** undefined: it does not name one of these servers. */
  #functionsOf({ type, server_label: label, name }: ToolReference): readonly ToolReference[] | undefined {
    if (type !== 'mcp' || !this.lists.some(({ serverLabel }) => serverLabel === label)) return undefined;
    return [...this.#byFunction]
      .filter(([, tool]) => tool.serverLabel === label && (name === undefined || tool.name === name))
      .map(([called]) => ({ type: 'function', name: called }));
  }

  /** @param name the tool's own */
  find(serverLabel: string, name: string): WorkerTool | undefined {
    return this.lists.find((list) => list.serverLabel === serverLabel)?.tools.find((tool) => tool.name === name);
  }
}

/**
 * The lists as a request has narrowed them.
 * @param requests those that it made; of several for one server each may allow, and each may ask
 */
export function chosenTools(lists: readonly ToolList[], requests: readonly McpRequest[]): readonly ToolList[] {
  return lists.map((list) => {
    const own = requests.filter(({ serverLabel }) => serverLabel === list.serverLabel);
    if (own.length === 0) return list;
    const tools = list.tools
      .filter((tool) => own.some(({ allows }) => allows(tool)))
      .map((tool): WorkerTool => (own.some(({ asks }) => asks(tool)) ? { ...tool, needsApproval: () => true } : tool));
    return { ...list, tools };
  });
}
