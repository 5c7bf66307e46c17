/**
 * Calls of functions that stand for other tools (`chat-tools.ts`), as calls of those: of a function of a namespace, and of a
 * custom tool, whose input is read out of the arguments as they come.
 */
import type { ModelDelta, ModelEvent } from '../../domain/model.ts';
import { modelFailure } from '../failures/model-failure.ts';
import { asRecord, parseJson } from '../json.ts';
import { defaultMaxOutputBytes, ProviderError } from '../provider.ts';
import { isBareInput } from './call-arguments.ts';
import { type CalledTool, type CallNames, customInput } from './chat-tools.ts';
import { JsonTextReader } from './json-text-reader.ts';

type CallDelta = ModelDelta & { readonly type: 'tool_call' };

/**
 * Throws as `events` does, after all that came before; and `ProviderError` `output_too_large` where the arguments are longer than
 * what they show by more than `maxHeld` characters: nobody else counts that (T14).
 */
export async function* translatedCalls(
  events: AsyncIterable<ModelEvent>,
  names: CallNames,
  maxHeld = defaultMaxOutputBytes,
): AsyncGenerator<ModelEvent, void, undefined> {
  let held = 0;
  const inputs = new Map<string, CustomInput>();
  for await (const event of events) {
    if (event.type === 'finish') {
      for (const input of inputs.values()) {
        const rest = input.end();
        if (rest !== undefined) yield { type: 'delta', delta: rest };
      }
    }
    const delta = event.type === 'delta' && event.delta.type === 'tool_call' ? event.delta : undefined;
    const called = delta && names.called(delta.name);
    if (delta === undefined || called === undefined) {
      yield event;
      continue;
    }
    const translated = translate(delta, called);
    if (called.type === 'function') {
      yield { type: 'delta', delta: translated };
      continue;
    }
    const known = inputs.get(delta.item);
    const input = known ?? new CustomInput(translated);
    inputs.set(delta.item, input);
    const text = input.read(delta.text);
    held += delta.text.length - text.length;
    if (held > maxHeld) throw new ProviderError(modelFailure('output_too_large', { detail: 'not_shown' }));
    // The name comes first, whatever there is of the input; fields of the provider's own may come without a text.
    if (known === undefined || text !== '' || delta.providerFields !== undefined) yield { type: 'delta', delta: { ...translated, text } };
  }
}

function translate(delta: CallDelta, { type, name, namespace }: CalledTool): CallDelta {
  const members = namespace === undefined ? {} : { members: { namespace } };
  return { ...delta, name, ...members, ...(type === 'custom' ? { isCustom: true as const } : {}) };
}

/** The input of one call, read out of the arguments: `{"input": "…"}`. What is written in another form is known at its end. */
class CustomInput {
  readonly #first: CallDelta;
  readonly #reader = new JsonTextReader(customInput);
  #arguments = '';
  #shown = '';

  constructor(first: CallDelta) {
    this.#first = first;
  }

  read(text: string): string {
    this.#arguments += text;
    const shown = this.#reader.read(text);
    this.#shown += shown;
    return shown;
  }

  /** What is missing of it, at a finish: the last one, or one that more follows. */
  end(): CallDelta | undefined {
    // Half a JSON document is no input that anybody wrote: it was cut off, or the rest of it comes behind this finish.
    if (parseJson(this.#arguments) === undefined && !isBareInput(this.#arguments)) return undefined;
    const whole = inputOf(this.#arguments);
    if (whole.length <= this.#shown.length || !whole.startsWith(this.#shown)) return undefined;
    const { providerFields: _told, ...first } = this.#first;
    const text = whole.slice(this.#shown.length);
    this.#shown = whole;
    return { ...first, text };
  }
}

/** Of arguments of any form: models write the bare text, too, or call its member otherwise. */
function inputOf(text: string): string {
  const value = parseJson(text);
  if (typeof value === 'string') return value.toWellFormed();
  const given = asRecord(value);
  const members = Object.entries(given ?? {});
  // Called with nothing, it has no input: not the text of an empty object.
  if (given !== undefined && members.length === 0) return '';
  const [only] = members.length === 1 ? members : members.filter(([name]) => name === customInput);
  return typeof only?.[1] === 'string' ? only[1].toWellFormed() : text;
}
