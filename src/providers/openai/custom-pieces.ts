/**
 * Pieces of calls that a chat server states as `custom`, as pieces of the function that a custom tool is offered as
 * (`chat-tools.ts`): its input, which comes as it is, becomes the text of the one argument.
 */
import { protocolError } from '../failures/model-failure.ts';
import { asRecord, asText, type JsonRecord } from '../json.ts';
import { customInput } from './chat-tools.ts';

interface OpenCall {
  readonly index: unknown;
  readonly id: string | undefined;
}

export class CustomPieces {
  #open: OpenCall[] = [];
  readonly #functions: ReadonlySet<string>;

  /** @param functions names of tools that are no custom ones */
  constructor(functions: Iterable<string>) {
    this.#functions = new Set(functions);
  }

  /**
   * The piece as one of a function; another one as it is. Throws `ProviderError` where it may be of this call or of another: an
   * input has no form that would tell.
   */
  read(piece: JsonRecord): JsonRecord {
    const { custom: given, ...rest } = piece;
    const custom = asRecord(given);
    if (custom === undefined || asRecord(piece['function']) !== undefined) return piece;
    const id = asText(piece['id']);
    const { index } = piece;
    const name = asText(custom['name']);
    if (name !== undefined && this.#functions.has(name)) throw protocolError('custom_call_of_function');
    const { input } = custom;
    const text = typeof input === 'string' ? input : input === undefined || input === null ? '' : JSON.stringify(input);
    const known = this.#find(index, id);
    if (known === undefined) this.#open.push({ index, id });
    else if (id !== undefined && known.id !== id) throw protocolError('custom_call_pieces');
    const escaped = JSON.stringify(text).slice(1, -1);
    return { ...rest, function: { name, arguments: known === undefined ? `{"${customInput}":"${escaped}` : escaped } };
  }

  #find(index: unknown, id: string | undefined): OpenCall | undefined {
    if (typeof index === 'number') return this.#open.find((call) => call.index === index);
    return id === undefined ? this.#open.at(-1) : this.#open.find((call) => call.id === id);
  }

  /** The last pieces: all inputs are whole. */
  close(): readonly JsonRecord[] {
    const last = this.#open.map(({ index, id }) => ({
      ...(typeof index === 'number' ? { index } : { id }),
      function: { arguments: '"}' },
    }));
    this.#open = [];
    return last;
  }
}
