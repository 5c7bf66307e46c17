/** The arguments of calls, in the forms that servers write them, and which of them a call is whole with. */
import type { ModelDelta } from '../../domain/model.ts';
import { asRecord, parseJson } from '../json.ts';
import type { CallNames } from './chat-tools.ts';
import { JsonExtent } from './json-extent.ts';

type CallDelta = ModelDelta & { readonly type: 'tool_call' };

/** The text of the object that a JSON string holds: arguments that were encoded twice. undefined: the text is no such string. */
export function decodedArguments(text: string): string | undefined {
  if (!/^\s*"/.test(text)) return undefined;
  const inner = parseJson(text);
  return typeof inner === 'string' && asRecord(parseJson(inner)) !== undefined ? inner : undefined;
}

/** Whether a call of this function is whole with arguments that are no JSON. @param name as the model knows it */
export type TakesText = (name: string, text: string) => boolean;

/**
 * Clients parse the arguments that they are shown, so they are JSON (T8), but for two kinds of tools: a custom one, whose input has
 * no form of its own, and one that a worker runs, who tells the model what is wrong with them.
 *
 * @param clientFunctions see `ModelRequest`
 */
export function takersOfText(names: CallNames, clientFunctions: ReadonlySet<string> | undefined): TakesText {
  return (name, text) => {
    const called = names.called(name);
    return called?.type === 'custom' ? isBareInput(text) : isWorkers(called ?? { name }, clientFunctions);
  };
}

/** Whether a worker carries out the calls of this function. Those of a namespace are the client's. */
export function isWorkers(
  { name, namespace }: { readonly name: string; readonly namespace?: unknown },
  clientFunctions: ReadonlySet<string> | undefined,
): boolean {
  return clientFunctions !== undefined && namespace === undefined && !clientFunctions.has(name);
}

/**
 * Whether it is the input of a custom tool itself, which models write in the place of the object that holds it. Half of that object,
 * or of a string, is none: nobody knows what was to come behind it.
 */
export function isBareInput(text: string): boolean {
  if (/^\s*(?:$|\{\s*(?:["}]|$))/.test(text)) return false;
  if (!/^\s*"/.test(text)) return true;
  const extent = new JsonExtent();
  extent.read(text);
  return extent.isWhole;
}

/** What is held back of the arguments of one call. */
interface HeldText {
  /** A delta of it, the last one that told its members. */
  delta: CallDelta;
  /** `begins`: nothing so far but what `null` begins with, or white space. `plain`: nothing is held back any more. */
  form: 'begins' | 'string' | 'plain';
  readonly pieces: string[];
}

/** Of white space before the arguments, in UTF-16 units. */
const longestBlank = 1_000;

/**
 * Reads arguments that are no object in the first place. A string may be the object, encoded twice, and only its end tells; `null`
 * stands for no arguments. All else is passed on as it comes.
 */
export class CallArguments {
  readonly #calls = new Map<string, HeldText>();

  /** The delta with what can be shown of its text: where that is nothing, it says all the same that the model goes on. */
  read(delta: CallDelta): CallDelta {
    const known = this.#calls.get(delta.item);
    if (known?.form === 'plain') return delta;
    const held = known ?? { delta, form: 'begins', pieces: [] };
    this.#calls.set(delta.item, held);
    if (delta.members !== undefined) held.delta = delta;
    if (delta.text !== '') held.pieces.push(delta.text);
    if (held.form === 'begins') {
      const begun = held.pieces.join('');
      if (/^\s*"/.test(begun)) held.form = 'string';
      else if (begun.length > longestBlank || !/^\s*(?:n(?:u(?:l(?:l\s*)?)?)?)?$/.test(begun)) {
        held.form = 'plain';
        held.pieces.length = 0;
        return { ...delta, text: begun };
      }
    }
    return { ...delta, text: '' };
  }

  /** What was held back. @param isProved whether the answer is whole: otherwise it is told as it came */
  end(isProved: boolean): readonly CallDelta[] {
    return Array.from(this.#calls.values(), (held): CallDelta | undefined => {
      if (held.pieces.length === 0) return undefined;
      const text = held.pieces.join('');
      held.form = 'plain';
      held.pieces.length = 0;
      const { item, callId, name, members } = held.delta;
      const more = members === undefined ? {} : { members };
      return { type: 'tool_call', item, callId, name, text: isProved ? readArguments(text) : text, ...more };
    }).filter((delta) => delta !== undefined);
  }
}

function readArguments(text: string): string {
  return text.trim() === 'null' ? '{}' : (decodedArguments(text) ?? text);
}
