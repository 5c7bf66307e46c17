/** `turnkeep show`: one turn as a timeline on stdout, as it stands or until it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../../config/config.ts';
import { openGateway } from '../gateway/open.ts';
import { given } from '../lists/run.ts';
import type { ShowFlags } from './command.ts';
import { eventLine } from './event-line.ts';
import { isFile, type Loaded, loadFile, loadTurn, newestTurn } from './load.ts';
import { timelineText } from './text.ts';

/** Of what is no terminal, unless COLUMNS says otherwise. */
const defaultColumns = 100;
const redrawEveryMs = 500;

/**
 * @param name of a turn or a file; undefined: the newest turn
 * @throws {GatewayError} where there is no such turn, or no gateway answers; {BundleError} where the file is none; {ConfigError} where
 * flags do not go together, or the address is none
 */
export async function runShow(name: string | undefined, flags: ShowFlags): Promise<void> {
  const { stdout, stderr } = process;
  if (name !== undefined && isFile(name)) {
    if (flags.follow === true) throw new ConfigError(['--follow goes with the id of a turn: a file has its end']);
    const { notes, ...loaded } = await loadFile(name);
    stdout.write(textOf(loaded, flags, notes));
    return;
  }
  const { url, apiKey, dataDir } = flags;
  const client = openGateway(given({ url, apiKey, dataDir }));
  const id = name ?? (await newestTurn(client));
  if (name === undefined && flags.json !== true) stderr.write(`The newest turn: ${id}\n`);
  if (flags.follow !== true) {
    stdout.write(textOf(await loadTurn(client, id), flags));
    return;
  }
  // A gateway that is started again is waited for.
  const load = () => loadTurn(client, id, { isPatient: true });
  if (stdout.isTTY && flags.json !== true) await redraw(load, flags);
  else await listEvents(load, flags);
}

function textOf({ timeline, json }: Loaded, { json: isJson, all }: ShowFlags, notes: readonly string[] = []): string {
  if (isJson === true) return `${JSON.stringify(json)}\n`;
  const { stdout } = process;
  const columns = stdout.columns || Number(process.env['COLUMNS']) || defaultColumns;
  const hasColours = stdout.isTTY && stdout.hasColors();
  const lines = timelineText(timeline, { columns: Math.max(40, columns), hasColours, isWhole: all === true, nowMs: Date.now(), notes });
  return `${lines.join('\n')}\n`;
}

/** Of a drawing that is longer than the terminal, its end. */
async function redraw(load: () => Promise<Loaded>, flags: ShowFlags): Promise<void> {
  const { stdout } = process;
  for (let drawn = 0; ;) {
    const loaded = await load();
    const hasEnded = loaded.timeline.settled_at !== null;
    const lines = textOf(loaded, flags).trimEnd().split('\n');
    const shown = hasEnded ? lines : lines.slice(-Math.max(1, (stdout.rows || 24) - 1));
    stdout.write(`${drawn === 0 ? '' : `\u001b[${drawn}F\u001b[J`}${shown.join('\n')}\n`);
    if (hasEnded) return;
    drawn = shown.length;
    await delay(redrawEveryMs);
  }
}

/** Each event once, in the order in which they are known: what is noted late, such as a viewer, comes late. */
async function listEvents(load: () => Promise<Loaded>, flags: ShowFlags): Promise<void> {
  const { stdout } = process;
  const known = new Set<string>();
  for (;;) {
    const loaded = await load();
    const { timeline } = loaded;
    for (const event of timeline.events ?? []) {
      const json = JSON.stringify(event);
      if (known.has(json)) continue;
      known.add(json);
      stdout.write(`${flags.json === true ? json : eventLine(event, Date.parse(timeline.created_at))}\n`);
    }
    if (timeline.settled_at !== null) {
      if (flags.json !== true) stdout.write(`\n${textOf(loaded, flags)}`);
      return;
    }
    await delay(redrawEveryMs);
  }
}
