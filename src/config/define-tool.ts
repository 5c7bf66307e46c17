/** A tool of the configuration as its author writes it. What a worker runs is made of it by `worker-tool.ts`. */
import type { ToolContext } from '../tools/tool.ts';

/**
 * A schema of arguments: one of zod 4, of whichever copy, or one of another library that has the standard interfaces for both,
 * validation and JSON Schema (standardschema.dev).
 */
export interface ToolInput {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: unknown; readonly output: unknown } | undefined;
  };
}

/** What `run` gets: the arguments with the defaults and transforms of the schema. */
export type ToolArguments<Input extends ToolInput> = NonNullable<Input['~standard']['types']>['output'];

export interface ToolDefinition<Input extends ToolInput> {
  /** For the model: what it does, and when to use it. */
  readonly description: string;
  /** An object. Arguments that do not pass go back to the model as an error; they are never mended. */
  readonly input: Input;
  /**
   * **Contract:** runs in a worker, once for each call, or up to `attempts` times with the same `idempotencyKey`. What it returns
   * is told to the model: a string as it is, anything else as JSON. So is the message of what it throws, and the turn goes on.
   * It should end when `signal` aborts.
   */
  readonly run: (args: ToolArguments<Input>, context: ToolContext) => unknown;
  /**
   * Runs of one call, 1 to 10; 1 by default: after a lost worker the tool is not run again, and the model is told that the outcome
   * is unknown. More are for tools that may run twice.
   */
  readonly attempts?: number | undefined;
  /** Of one run; 300 000 (five minutes) by default. */
  readonly timeoutMs?: number | undefined;
  /** Whether a person must agree first; false by default. A function that throws has not said that nobody need be asked. */
  readonly needsApproval?: boolean | ((args: ToolArguments<Input>) => boolean) | undefined;
}

/** Of `Symbol.for`: a configuration may have another copy of this package than the process that reads it. */
export const toolMark: unique symbol = Symbol.for('turnkeep.tool');

/** What `tools` of `defineConfig` takes. */
export interface AnyTool {
  readonly [toolMark]: true;
}

export type DefinedTool<Input extends ToolInput> = AnyTool & ToolDefinition<Input>;

/**
 * A tool that a worker runs. Nothing is checked here: mistakes are told when the configuration is loaded, with all others.
 *
 * @example
 *     import { defineTool } from 'turnkeep/config';
 *     import { z } from 'zod';
 *
 *     const weather = defineTool({
 *       description: 'The weather of a city, now.',
 *       input: z.object({ city: z.string() }),
 *       async run({ city }, { signal }) {
 *         const response = await fetch(`https://wttr.in/${encodeURIComponent(city)}?format=3`, { signal });
 *         return response.text();
 *       },
 *     });
 *     console.log(weather.description);
 */
export function defineTool<Input extends ToolInput>(tool: ToolDefinition<Input>): DefinedTool<Input> {
  return Object.freeze({ ...tool, [toolMark]: true as const });
}
