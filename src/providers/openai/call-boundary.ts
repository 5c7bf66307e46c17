/**
 * Whether a piece of a Chat Completions stream goes on with the call that it was sent to, or begins another. Pure. Index, id and name
 * do not tell by themselves; what the call has so far does: nothing, part of its arguments, or all of them.
 */
import type { CallPiece } from './call-piece.ts';
import { decodedArguments } from './call-arguments.ts';
import { JsonExtent } from './json-extent.ts';

/** A call as far as it has come. */
export interface CallSoFar {
  readonly id: string | undefined;
  readonly name: string;
  /** All of its arguments so far. */
  readonly args: string;
  readonly extent: JsonExtent;
  /** Its name came again behind its whole arguments: to no end, or as the beginning of another call. */
  readonly mayBeFollowed: boolean;
  /** Pieces of it came with different ids: the server gives each its own. */
  readonly hasNewIds: boolean;
}

/** What is known of the piece beside its own text. */
export interface PieceContext {
  /** Its id is no id of the call. */
  readonly hasOtherId: boolean;
  /** The call has had a piece in the same chunk: who sends two pieces at once means two calls. */
  readonly isSameChunk: boolean;
  /** The two names cannot be one in pieces. */
  readonly isOtherName: boolean;
}

/** Arguments up to this may be sent again with any white space around them. */
const longestPadded = 4_096;

export type Boundary = 'same' | 'another' | 'may_be_followed';

export function boundaryBefore(piece: CallPiece, call: CallSoFar, { hasOtherId, isSameChunk, isOtherName }: PieceContext): Boundary {
  const { id, name, args, begins } = piece;
  const isBlank = args.trim() === '';
  // Said again, in a later chunk: with the same id, or without one, and encoded twice where the pieces were not.
  const isAgain = !isSameChunk && isSameText(call, args);
  if (isAgain && (id === undefined ? name === call.name && args.trim() !== call.args.trim() : id === call.id)) return 'same';
  if (call.name === '' && name !== undefined && !hasOtherId && isBlank) return 'same';
  if (call.extent.isWhole) {
    if (!isBlank) return hasOtherId || name !== undefined || (call.mayBeFollowed && /^\s*[{"]/.test(args)) ? 'another' : 'same';
    if (name === undefined) return 'same';
    // Also with a new id: servers that give one to each piece end a call with an empty one.
    return name !== call.name || (hasOtherId && isSameChunk) ? 'another' : 'may_be_followed';
  }
  if (name === undefined) return 'same';
  if (call.args === '') {
    if (call.name === '') return 'same';
    // A new id in each piece, behind the usual empty opener. Two that are empty are two calls without arguments.
    if (hasOtherId) return !isBlank && name === call.name && !isSameChunk ? 'same' : 'another';
    return isOtherName ? 'another' : 'same';
  }
  // In the middle of its arguments.
  if (name !== call.name && call.name !== '') return 'another';
  // A new id says nothing then, and whatever begins is within the arguments: this call would never have an end.
  if (call.hasNewIds && !isSameChunk) return 'same';
  if (!hasOtherId || (!begins && !isBlank)) return 'same';
  return begins && !isSameChunk && isValueWithin(args, call.args) ? 'same' : 'another';
}

/** Whether the text is all of the arguments of the call again, as they are or encoded twice. */
export function isSameText({ args, extent }: Pick<CallSoFar, 'args' | 'extent'>, text: string): boolean {
  // Most pieces are short: they do not look at all that came before them.
  if (args.length > longestPadded && text.length * 2 < args.length) return false;
  return extent.isWhole && (args.trim() === text.trim() || args.trim() === decodedArguments(text)?.trim());
}

/** Where a value is missing, a piece that goes on behind its own end (`{"x":1}}`) is that value, and no arguments of its own. */
function isValueWithin(text: string, before: string): boolean {
  if (!/[:[,]\s*$/.test(before.slice(-longestPadded))) return false;
  const extent = new JsonExtent();
  for (let at = 0; at < text.length; at += 1) {
    extent.read(text.charAt(at));
    if (extent.isWhole) return text.slice(at + 1).trim() !== '';
  }
  return false;
}
