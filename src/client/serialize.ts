/**
 * A submission as JSON, and its hash: of one text each, made once. A busy database may be asked for it again and again, and
 * a long input is made in slices, with the event loop free in between (T14).
 */
import { createHash, type Hash } from 'node:crypto';
import { givenIdOf, type InputItem, type NewItem } from '../domain/item.ts';
import { forAnotherModel, isSealed } from '../domain/prompt/prompt.ts';
import type { NewTurn } from '../store/ports/turns.ts';
import { Pace } from '../store/pace.ts';
import type { Submission } from './submission.ts';

export interface Serialized {
  readonly json: NewTurn['json'];
  /** The same for two submissions that are the same to the model: it covers all that it sees of them. */
  readonly bodyHash: string;
}

export async function serialize(
  { settings, session, previous, replaces }: Pick<Submission, 'settings' | 'session' | 'previous' | 'replaces'>,
  input: readonly InputItem[],
): Promise<Serialized> {
  const hash = createHash('sha256');
  const pace = new Pace();
  const json = { settings: JSON.stringify(settings), input: [] as string[] };
  await add(hash, pace, json.settings);
  await add(hash, pace, JSON.stringify([session, previous, replaces ?? null]));
  for (const item of input) {
    await pace.yieldIfFull();
    const { id, ...members } = item;
    const text = JSON.stringify(members);
    json.input.push(`${text.slice(0, -1)},"id":${JSON.stringify(id)}}`);
    // Whether what is sealed is told depends on what is left of the turn that it comes from: the same request stays the same.
    await add(hash, pace, isSealed(item) ? JSON.stringify(forAnotherModel(members as NewItem)) : text);
    // One of ours is new with each submission; one that the item came with is told to the model.
    await add(hash, pace, givenIdOf(item) ?? '');
  }
  return { json, bodyHash: hash.digest('hex') };
}

const pieceChars = 262_144;

async function add(hash: Hash, pace: Pace, text: string): Promise<void> {
  for (let from = 0; from < text.length; from += pieceChars) {
    const piece = text.slice(from, from + pieceChars);
    // Half a surrogate pair at the seam becomes a replacement character: the same for the same text.
    hash.update(piece);
    pace.add(piece.length);
    await pace.yieldIfFull();
  }
  // What ends here cannot end elsewhere: JSON holds no such byte.
  hash.update('\0');
}
