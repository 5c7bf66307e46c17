/** `turnkeep keys`: keys of the HTTP API that the database has. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { scopes, type Scope } from '../../domain/api-key.ts';

export interface KeysFlags {
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly json?: boolean;
}

export interface CreateFlags extends KeysFlags {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly expires?: number;
}

export interface ListFlags extends KeysFlags {
  readonly tenant?: string;
}

export interface RotateFlags extends KeysFlags {
  readonly overlap: number;
}

export interface KeysActions {
  create(flags: CreateFlags): Promise<void>;
  list(flags: ListFlags): Promise<void>;
  rotate(id: string, flags: RotateFlags): Promise<void>;
  revoke(id: string, flags: KeysFlags): Promise<void>;
  forgetCodec(flags: KeysFlags): Promise<void>;
}

const dayMs = 86_400_000;

/** @param load what carries them out, which takes a while to load */
export function keysCommand(load: () => Promise<KeysActions>): Command {
  const create = subcommand('create', 'makes a key, and shows it once')
    .requiredOption('--tenant <name>', 'whose turns it begins and reads', tenantName)
    .addOption(
      new Option('--scopes <list>', `what it may do, comma separated: ${scopes.join(', ')}`)
        .argParser(scopeList)
        .default(['read', 'write'] satisfies Scope[], 'read,write'),
    )
    .option('--expires <time>', 'after which it is good no more: 12h, 90d; unset: never', lifeSpan)
    .addHelpText(
      'after',
      `
  turnkeep keys create --tenant ann
  turnkeep keys create --tenant dashboard --scopes read --expires 90d

read: what the tenant has; write: turns, begun and cancelled, and all that changes; export: turns as files, with their histories.
The key is on stdout, alone (with --json with all that is known of it); the database has its hash.`,
    )
    .action(async (flags: CreateFlags) => (await load()).create(flags));
  const list = subcommand('list', 'the keys, without their secrets')
    .option('--tenant <name>', 'those of one tenant', tenantName)
    .action(async (flags: ListFlags) => (await load()).list(flags));
  const rotate = subcommand('rotate', 'makes a key in the place of another, which is good for a while still')
    .argument('<id>', 'the beginning of the key, as `turnkeep keys list` shows it')
    .addOption(new Option('--overlap <time>', 'how long the old one is good: 0s, 30m, 7d').argParser(timeSpan).default(dayMs, '1d'))
    .action(async (id: string, flags: RotateFlags) => (await load()).rotate(id, flags));
  const revoke = subcommand('revoke', 'a key is good no more, at every gateway within 5 seconds')
    .argument('<id>', 'the beginning of the key, as `turnkeep keys list` shows it')
    .action(async (id: string, flags: KeysFlags) => (await load()).revoke(id, flags));
  const forgetCodec = subcommand('forget-codec', 'gateways and workers start without the key of TURNKEEP_CODEC_KEYS that is in use')
    .addHelpText('after', '\nTurns that run and were encrypted with it go no further without it.')
    .action(async (flags: KeysFlags) => (await load()).forgetCodec(flags));
  const command = new Command('keys').description('keys of the HTTP API: made, listed, rotated and revoked, in the database');
  for (const each of [create, list, rotate, revoke, forgetCodec]) command.addCommand(each);
  return command.addHelpText(
    'after',
    `
They are good beside those of TURNKEEP_API_KEYS. With TURNKEEP_REQUIRE_KEY=on gateways need no others.
Exit codes: 0 done, 1 there is no such key, or it is good no more, 2 wrong use or it could not be done.`,
  );
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--data-dir <path>', 'the data dir (TURNKEEP_DATA_DIR; default .turnkeep)')
    .option('--database-url <url>', 'where the database is not in the data dir (DATABASE_URL)')
    .option('--json', 'as JSON, one object a line')
    .allowExcessArguments(false);
}

function tenantName(value: string): string {
  if (/^[\w.-]{1,64}$/.test(value)) return value;
  throw new InvalidArgumentError('It has to be 1 to 64 letters, digits, ".", "_" or "-".');
}

function scopeList(value: string): Scope[] {
  const named = value.split(',').map((each) => each.trim());
  const known = scopes.filter((scope) => named.includes(scope));
  if (known.length === 0 || named.some((each) => !scopes.includes(each as Scope)))
    throw new InvalidArgumentError(`There are ${scopes.join(', ')}.`);
  return known;
}

const unitMs: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs };

function timeSpan(value: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(value) ?? [];
  const ms = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It has to be a number and s, m, h or d, such as 12h or 90d.');
  return ms;
}

function lifeSpan(value: string): number {
  const ms = timeSpan(value);
  if (ms === 0) throw new InvalidArgumentError('A key that has expired when it is made is of no use: it has to be 1s at least.');
  return ms;
}
