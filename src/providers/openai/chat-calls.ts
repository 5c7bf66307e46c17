/**
 * The tool calls of a Chat Completions stream: which piece belongs to which call, whatever the server says of that.
 *
 * OpenAI sends an index with each piece, and id and name with the first. Others leave out the index, number all calls 0, send id
 * or name again with each piece, a new id with each, the name in two pieces, or late, or the same id for two calls. So index
 * and id only say where to look; whether a piece goes on with the call that is found there, or begins another, follows from
 * what the call has so far: nothing, part of its arguments, or all of them.
 *
 * A call is shown once its name is final: as soon as it has an id and the name of an offered tool with which no other's begins, else
 * with the first piece of its arguments, with whatever comes of another item, or at the end.
 */
import type { ProviderFields } from '../../domain/item.ts';
import type { ModelEvent } from '../../domain/model.ts';
import { protocolError } from '../failures/model-failure.ts';
import { type JsonRecord, parseJson } from '../json.ts';
import type { TakesText } from './call-arguments.ts';
import { boundaryBefore, isSameText } from './call-boundary.ts';
import { type CallPiece, pieceOf } from './call-piece.ts';
import { type CallDelta, charsOf, type ChatCall, deltaOf, mayDouble, newCall, readDoubled, restOf } from './chat-call.ts';
import { type NewId, newIds } from './new-ids.ts';

/** More than this is not kept for a call whose name has not come, in UTF-16 units. */
const longestNameless = 1_024 * 1_024;

export interface ChatCallsOutput {
  show(delta: CallDelta, out: ModelEvent[]): void;
  /** Fields that came when their call was shown. */
  addFields(delta: CallDelta & { readonly text: '' }, out: ModelEvent[]): void;
  /** What is kept and not shown, in characters. Throws where it is too much. */
  hold(chars: number): void;
}

export class ChatCalls {
  readonly #calls: ChatCall[] = [];
  /** The last one at each index. */
  readonly #byIndex = new Map<number, ChatCall>();
  /** The last one with each id. */
  readonly #byId = new Map<string, ChatCall>();
  #last: ChatCall | undefined;
  /** Those with a name that may go on: one or two, whatever the number of calls. */
  readonly #held = new Set<ChatCall>();
  #chunk = 0;
  #begun = 0;
  readonly #output: ChatCallsOutput;
  readonly #names: ReadonlySet<string>;
  readonly #takesText: TakesText;
  readonly #newId: NewId;

  /** @param names of the tools that were offered: they tell a name in pieces from two names */
  constructor(output: ChatCallsOutput, names: Iterable<string>, takesText: TakesText = () => false, newId: NewId = newIds()) {
    this.#output = output;
    this.#takesText = takesText;
    this.#newId = newId;
    this.#names = new Set(names);
  }

  /** To be called before the pieces of each chunk. */
  beginChunk(): void {
    this.#chunk += 1;
  }

  /**
   * Throws `ProviderError` for pieces that fit nothing.
   *
   * @returns whether the piece begins a call, or goes on with one that is not shown yet
   */
  read(source: JsonRecord, out: ModelEvent[]): boolean {
    const piece = pieceOf(source);
    const known = this.#find(piece);
    const addressed = known === undefined || this.#isAnother(known, piece) ? this.#begin(piece) : known;
    if (known !== undefined && addressed !== known && mayDouble(known, piece, this.#chunk)) addressed.doubles = known;
    const call = piece.args.trim() === '' || addressed.args !== '' ? addressed : this.#undoubled(addressed, piece);
    // Name and id came before the arguments, when they could still have been those of the call before.
    if (call !== known && known?.mayBeFollowed === true && piece.name === undefined) {
      this.#readName(call, known.name);
      call.id ??= known.followedBy;
    }
    this.release(out, call);
    this.#last = call;
    const isHeld = !call.isShown;
    const isRepeated = call.chunk !== this.#chunk && isSameText(call, piece.args);
    call.chunk = this.#chunk;
    call.id ??= piece.id;
    call.hasNewIds ||= piece.id !== undefined && piece.id !== call.id;
    if (piece.id !== undefined && !this.#byId.has(piece.id)) this.#byId.set(piece.id, call);
    // Said again under another id it is no second half.
    if (piece.name !== undefined && (piece.name !== call.name || piece.id === undefined || piece.id === call.id))
      this.#readName(call, piece.name);
    if (piece.fields !== undefined) this.#readFields(call, piece.fields, out);
    // All of its arguments again, behind their pieces, say nothing new.
    if (piece.args !== '' && !isRepeated) this.#readArguments(call, piece.args, out);
    // The model may take long over the arguments, and what has begun is not asked for again.
    const isReady = this.#held.has(call) && call.args === '' && call.id !== undefined && call.doubles === undefined;
    if (isReady && this.#isFinal(call.name)) this.#show(call, '', out);
    if (!call.isShown || piece.args === '') this.#output.hold(charsOf(piece));
    return isHeld;
  }

  /**
   * Shows the calls whose names are final, because something else comes: all but this one, and those that it may announce again. One
   * without a name is not shown.
   */
  release(out: ModelEvent[], except?: ChatCall): void {
    if (this.#held.size === 0) return;
    const kept = new Set<ChatCall>();
    for (let call = except; call !== undefined; call = call.doubles) kept.add(call);
    for (const call of this.#held) if (!kept.has(call)) this.#show(call, call.args, out);
  }

  /** Whether each call has a name, and arguments that are JSON, or none. */
  get areWhole(): boolean {
    return this.#calls.every((call) => call.isShown && (call.args === '' || (call.extent.isWhole && isWhole(call))));
  }

  /** Throws `ProviderError` unless each call is whole (T8). No arguments are those of a tool without parameters: clients parse them. */
  complete(out: ModelEvent[]): void {
    this.requireNames();
    if (!this.#calls.every((call) => isWhole(call) || this.#takesText(call.name, call.args))) throw protocolError('tool_call_arguments');
    for (const call of this.#calls) if (call.args.trim() === '') this.#readArguments(call, '{}', out);
  }

  /** Throws `ProviderError` for a call whose name has not come. */
  requireNames(): void {
    if (this.#calls.some(({ name }) => name === '')) throw protocolError('tool_call_without_name');
  }

  /** The call that the piece is sent to, by index, else by id, else the last one. */
  #find({ index, id, name, begins }: CallPiece): ChatCall | undefined {
    const byId = id === undefined ? undefined : this.#byId.get(id);
    if (index === undefined) return byId ?? this.#last;
    const byIndex = this.#byIndex.get(index);
    if (byIndex === undefined) {
      // An index that counts pieces instead of calls: what can begin no call goes on with the one that has begun.
      const open = byId ?? (id === undefined ? this.#last : undefined);
      return open !== undefined && name === undefined && !begins && !open.extent.isWhole && open.args !== '' ? open : undefined;
    }
    // Several calls under one index, in turns: their ids tell them apart.
    return byId !== undefined && byId.id !== byIndex.id && id !== byIndex.id ? byId : byIndex;
  }

  /** Whether the piece begins another call than the one that was found. */
  #isAnother(call: ChatCall, piece: CallPiece): boolean {
    const { id, name } = piece;
    const hasOtherId = id !== undefined && call.id !== undefined && this.#byId.get(id) !== call && id !== call.id;
    const isSameChunk = call.chunk === this.#chunk;
    const isOtherName = name !== undefined && this.#joined(call.name, name) === undefined;
    const boundary = boundaryBefore(piece, call, { hasOtherId, isSameChunk, isOtherName });
    if (boundary === 'may_be_followed') {
      call.mayBeFollowed = true;
      if (hasOtherId) call.followedBy = id;
    }
    return boundary === 'another';
  }

  /** The call that the first arguments belong to. Throws `ProviderError` where two announcements may be of one call or of two. */
  #undoubled(call: ChatCall, piece: CallPiece): ChatCall {
    const found = readDoubled(call, piece);
    const { doubles } = call;
    if (found === 'two' || doubles === undefined) {
      call.doubles = undefined;
      return call;
    }
    if (found === 'unknown' || call.isShown) throw protocolError('call_announced_twice');
    this.#calls.splice(this.#calls.indexOf(call), 1);
    this.#held.delete(call);
    for (const calls of [this.#byIndex, this.#byId] as const)
      for (const [key, each] of calls) if (each === call) (calls as Map<unknown, ChatCall>).set(key, doubles);
    return this.#undoubled(doubles, piece);
  }

  #begin({ index, id }: CallPiece): ChatCall {
    const call = newCall(`call ${this.#begun++}`, id, this.#chunk);
    this.#calls.push(call);
    if (index !== undefined) this.#byIndex.set(index, call);
    if (id !== undefined) this.#byId.set(id, call);
    return call;
  }

  #readName(call: ChatCall, name: string): void {
    if (call.isShown) return;
    this.#held.add(call);
    call.name = this.#joined(call.name, name) ?? name;
  }

  /** A name and what came after it: in pieces, grown, or again; undefined: the two are names of two calls. */
  #joined(name: string, next: string): string | undefined {
    if (name === '' || (next === name && this.#names.has(name))) return next;
    if (this.#isBeginning(name + next)) return name + next;
    if (next.startsWith(name)) return next;
    return this.#names.has(name) && this.#names.has(next) ? undefined : name + next;
  }

  #isFinal(name: string): boolean {
    if (!this.#names.has(name)) return false;
    for (const other of this.#names) if (other !== name && other.startsWith(name)) return false;
    return true;
  }

  #isBeginning(text: string): boolean {
    return [...this.#names].some((name) => name.startsWith(text));
  }

  #readFields(call: ChatCall, fields: ProviderFields, out: ModelEvent[]): void {
    call.fields = { ...call.fields, ...fields };
    if (call.isShown) this.#output.addFields({ ...deltaOf(call), text: '', providerFields: fields }, out);
  }

  #readArguments(call: ChatCall, text: string, out: ModelEvent[]): void {
    if (call.extent.isWhole && !call.isShown && call.args.trim() === '{}' && text.trimStart().startsWith('{')) {
      // An empty object that stood for the arguments until they came.
      call.args = '';
      call.extent.reset();
    }
    const args = restOf(call, text);
    call.args += args;
    call.extent.read(args);
    if (call.name === '') {
      if (call.args.length > longestNameless) throw protocolError('tool_call_without_name');
    } else if (call.isShown) {
      this.#output.show({ ...deltaOf(call), text: args }, out);
    } else if (call.args.length > longestNameless || call.args.trim() !== '{}') {
      this.#show(call, call.args, out);
    }
  }

  #show(call: ChatCall, text: string, out: ModelEvent[]): void {
    call.isShown = true;
    this.#held.delete(call);
    call.name = call.name.toWellFormed();
    call.callId = call.id ?? this.#newId('call');
    const { fields } = call;
    this.#output.show({ ...deltaOf(call), text, ...(fields === undefined ? {} : { providerFields: fields }) }, out);
  }
}

function isWhole({ args }: ChatCall): boolean {
  return args.trim() === '' || parseJson(args) !== undefined;
}
