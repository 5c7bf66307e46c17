/** A tool call of a Chat Completions stream, as far as it has come. Pure, but for `undouble`. */
import type { ProviderFields } from '../../domain/item.ts';
import type { ModelDelta } from '../../domain/model.ts';
import type { CallSoFar } from './call-boundary.ts';
import type { CallPiece } from './call-piece.ts';
import { JsonExtent } from './json-extent.ts';

export type CallDelta = ModelDelta & { readonly type: 'tool_call' };

export interface ChatCall extends CallSoFar {
  /** `ModelDelta.item` */
  readonly item: string;
  /** The provider's; its first, if there are several. */
  id: string | undefined;
  callId: string;
  name: string;
  args: string;
  fields: ProviderFields | undefined;
  isShown: boolean;
  mayBeFollowed: boolean;
  /** The id that its name came again with. */
  followedBy: string | undefined;
  hasNewIds: boolean;
  /** In which a piece of it came last. */
  chunk: number;
  /** The call before it, where it may be that one announced again: same name, another id, and neither has any arguments. */
  doubles: ChatCall | undefined;
}

export function newCall(item: string, id: string | undefined, chunk: number): ChatCall {
  return {
    item,
    id,
    callId: '',
    name: '',
    args: '',
    extent: new JsonExtent(),
    fields: undefined,
    isShown: false,
    mayBeFollowed: false,
    followedBy: undefined,
    hasNewIds: false,
    chunk,
    doubles: undefined,
  };
}

export function deltaOf({ item, callId, name }: ChatCall): Omit<CallDelta, 'text'> {
  return { type: 'tool_call', item, callId, name };
}

const charsOfEntry = 100;

/** What a piece that is not shown takes, in UTF-16 units. */
export function charsOf({ id = '', name = '', args, fields }: CallPiece): number {
  return charsOfEntry + id.length + name.length + args.length + (fields === undefined ? 0 : JSON.stringify(fields).length);
}

/** What a piece adds. Some servers send all of the arguments so far with each piece: where no value can begin, that is not their rest. */
export function restOf({ args, extent }: ChatCall, text: string): string {
  const isGrown = args !== '' && !extent.isWhole && text.length > args.length && !/[:[,]\s*$/.test(args) && text.startsWith(args);
  return isGrown ? text.slice(args.length) : text;
}

/** Whether a piece that begins a call may as well announce the one before it once more. */
export function mayDouble(before: ChatCall, { id, name, args }: CallPiece, chunk: number): boolean {
  const isEmpty = before.args === '' && args.trim() === '';
  return isEmpty && id !== undefined && before.id !== undefined && name !== undefined && name === before.name && before.chunk !== chunk;
}

/**
 * What the id of the piece with the first arguments says of two announcements: another new one, that this server gives each piece its
 * own, so that there is one call; that of the second, that ids stand for calls, so that there are two. None says nothing.
 */
export function readDoubled({ id, doubles }: ChatCall, piece: CallPiece): 'one' | 'two' | 'unknown' {
  if (doubles === undefined || doubles.args !== '' || piece.id === id) return 'two';
  return piece.id === undefined ? 'unknown' : 'one';
}
