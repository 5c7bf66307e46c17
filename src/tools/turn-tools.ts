/** The tools of one turn: what the model is offered, and which tool a call of it means. */
import type { FunctionTool } from '../domain/response-settings.ts';
import { functionNames } from '../domain/function-names.ts';
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

  /** @param name the tool's own */
  find(serverLabel: string, name: string): WorkerTool | undefined {
    return this.lists.find((list) => list.serverLabel === serverLabel)?.tools.find((tool) => tool.name === name);
  }
}
