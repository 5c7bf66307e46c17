/** One run of a tool: its arguments checked, its time bounded, its errors made words for the model. */
import type { Json, JsonObject } from '../domain/item.ts';
import type { ToolContext, ToolResult, WorkerTool } from './tool.ts';

/** Of a thrown error's message, in UTF-16 code units: a stack or a page of HTML is no help to a model. */
const maxErrorChars = 2_000;

/** A timer of Node holds no more, and fires at once if it is asked for more. */
const longestTimerMs = 2_147_483_647;

/**
 * @param args as the model wrote them, or already parsed; they are never repaired
 * @returns an error for a bad call, a tool that threw, and one whose time is up: the model goes on with it
 * @throws the reason of `context.signal`, when that aborts, whatever the tool makes of it
 */
export async function runWorkerTool(tool: WorkerTool, args: JsonObject | string, context: ToolContext): Promise<ToolResult> {
  context.signal.throwIfAborted();
  const read = typeof args === 'string' ? readArguments(args) : { args };
  if ('error' in read) return { type: 'error', message: bounded(read.error) };
  const mistake = mistakeOf(tool, read.args);
  if (mistake !== undefined) return { type: 'error', message: bounded(mistake) };

  const stopped = Promise.withResolvers<never>();
  const stop = new AbortController();
  const onAbort = (): void => {
    stop.abort(context.signal.reason);
    stopped.reject(context.signal.reason);
  };
  context.signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => {
      const error = new Error(`timed out after ${tool.timeoutMs / 1_000} s`);
      // First: a tool that answers its abort at once would otherwise be heard before its timeout.
      stopped.reject(error);
      stop.abort(error);
    },
    Math.min(tool.timeoutMs, longestTimerMs),
  );
  try {
    // A tool that is no longer listened to may still throw: the race has a handler for it.
    return await Promise.race([stopped.promise, started(tool, read.args, { ...context, signal: stop.signal })]);
  } catch (error) {
    context.signal.throwIfAborted();
    return { type: 'error', message: bounded(error instanceof Error ? error.message : String(error)) };
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener('abort', onAbort);
  }
}

/** What a check throws may quote the arguments, and is no help to the model: constant words stand for it (T11). */
function mistakeOf(tool: WorkerTool, args: JsonObject): string | undefined {
  try {
    const mistake = tool.check(args);
    return mistake === undefined ? undefined : `The arguments do not fit the tool's schema: ${mistake}.`;
  } catch {
    return "The arguments could not be checked against the tool's schema.";
  }
}

/** What a tool throws before its first wait is its failure too. */
async function started(tool: WorkerTool, args: JsonObject, context: ToolContext): Promise<ToolResult> {
  return tool.run(args, context);
}

function readArguments(text: string): { readonly args: JsonObject } | { readonly error: string } {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return { error: `The arguments are not valid JSON: ${(error as SyntaxError).message}` };
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { args: value as JsonObject };
  return {
    error: `The arguments have to be a JSON object, not ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}.`,
  };
}

/** What JSON.parse quotes of the arguments may begin and end within a character: half of one is none. */
function bounded(message: string): string {
  if (message === '') return 'The tool failed and gave no reason.';
  const whole = message.toWellFormed();
  return whole.length <= maxErrorChars ? whole : `${whole.slice(0, maxErrorChars).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
