/** Ids for what a provider gives none: made of the turn, the step and the place, so that the same answer gets the same ones again. */
import { createHash, randomUUID } from 'node:crypto';

/** @returns another id each time it is called, with this prefix */
export type NewId = (prefix: string) => string;

/** With its prefix an id is shorter than 40 characters, which is the most that some servers take. */
const idChars = 32;

/** @param seed `ModelRequest.ids`; absent: the ids are random */
export function newIds(seed?: string): NewId {
  let count = 0;
  return (prefix) => {
    const source = seed === undefined ? randomUUID() : `${seed} ${prefix} ${count}`;
    count += 1;
    return `${prefix}_${createHash('sha256').update(source).digest('hex').slice(0, idChars)}`;
  };
}
