/**
 * What notifications say: who sends it, and which journals have got which rows. Ids and numbers only, since whoever may connect to
 * the database can listen.
 */

/** The server takes less than 8,000 bytes. */
const maxBytes = 7_900;

/** Instead of turns: any of them may have changed. */
const anyTurn = '*';

/** @returns as many as it takes. Ids of turns are ASCII, without blanks */
export function payloadsOf(sender: string, changes: ReadonlyMap<string, number>): string[] {
  const payloads: string[] = [];
  let payload = sender;
  for (const [turn, last] of changes) {
    const entry = ` ${turn}:${last}`;
    if (payload.length + entry.length > maxBytes && payload !== sender) {
      payloads.push(payload);
      payload = sender;
    }
    payload += entry;
  }
  return payload === sender ? payloads : [...payloads, payload];
}

export function payloadOfAny(sender: string): string {
  return `${sender} ${anyTurn}`;
}

/** @returns undefined for a form that is not known: of a later version */
export function readPayload(
  payload: string,
): { readonly sender: string; readonly changes: ReadonlyMap<string, number> | 'any' } | undefined {
  const [sender = '', ...entries] = payload.split(' ');
  if (entries[0] === anyTurn) return { sender, changes: 'any' };
  const changes = new Map(
    entries.map((entry) => {
      const colon = entry.lastIndexOf(':');
      return [entry.slice(0, colon), Number(entry.slice(colon + 1))] as const;
    }),
  );
  return changes.size > 0 && [...changes.values()].every(Number.isSafeInteger) ? { sender, changes } : undefined;
}
