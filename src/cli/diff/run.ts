/** `turnkeep diff`: two turns, from a gateway or from files. */
import { comparedTurns, isDifferent } from '../../history/diff-turns.ts';
import { readTurnOrFile } from '../turn-or-file.ts';
import type { DiffFlags } from './command.ts';
import { diffText } from './text.ts';

/** Also of a terminal that says 0, as some pseudo-terminals do. */
const defaultColumns = 80;

/**
 * @returns the exit code: 0 they are the same, 1 they are not
 * @throws {GatewayError} when no gateway answers, or it refuses; {BundleError} for a file that is no turn
 */
export async function runDiff(left: string, right: string, { json, all, ...target }: DiffFlags): Promise<number> {
  const places = comparedTurns(await readTurnOrFile(left, target), await readTurnOrFile(right, target));
  const first = places.find(isDifferent);
  const shown = all === true ? places : places.filter(isDifferent);
  if (json === true) process.stdout.write(`${JSON.stringify({ first: first ?? null, places: shown })}\n`);
  else {
    const columns = process.stdout.columns || defaultColumns;
    process.stdout.write(diffText(places, { columns, isWhole: all === true, names: [left, right] }));
  }
  return first === undefined ? 0 : 1;
}
