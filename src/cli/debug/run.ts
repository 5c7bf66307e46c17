/** `turnkeep debug`: a process that replays a turn, and that a debugger can attach to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readConfig } from '../../config/read-config.ts';
import { breakAt, debugProcessPath } from '../../history/debug/debug-bundle.ts';
import { bundleForDebug } from '../../roles/replay-bundle.ts';
import { filesOf } from '../export/files.ts';
import { given } from '../lists/run.ts';
import { StartError } from '../start-error.ts';
import type { DebugFlags } from './command.ts';

/** Where debuggers look for a process that is to be debugged. */
const usual = { host: '127.0.0.1', port: 9_229 };

/**
 * @returns the exit code of the replay
 * @throws {StartError} where it is not one file; {GatewayError}, {ConfigError} as their names say
 */
export async function debugTurn(target: string, flags: DebugFlags): Promise<number> {
  const config = readConfig({ env: process.env, flags: given({ 'data-dir': flags.dataDir }) });
  const address = flags.print === true ? undefined : await addressOf(flags.inspect);
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-debug-'));
  try {
    const [file = '', ...others] = await filesOf([target], flags, folder);
    if (others.length > 0) throw new StartError(`${target} has ${others.length + 1} files: name one of them.`);
    const codePath = join(folder, 'turnkeep-workflows.js');
    await writeFile(codePath, breakAt((await bundleForDebug(config)).code, flags.at), { mode: 0o600 });
    const inspector = address === undefined ? [] : [`--inspect-wait=${address}`];
    const args = [...(flags.at === undefined ? [] : ['--at', String(flags.at)]), ...(flags.json === true ? ['--json'] : [])];
    return await run([...inspector, debugProcessPath, ...args, file, codePath]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    const [, url] = /^Debugger listening on (ws:\S+)$/.exec(line) ?? [];
    if (url !== undefined) process.stderr.write(howToAttach(url));
    else if (!/^(For help, see: |Debugger attached\.|Debugger ending on )/.test(line)) process.stderr.write(`${line}\n`);
  });
  // Ctrl-C reaches the child as well; the folder is removed once it has ended.
  const wait = (): void => undefined;
  const stop = (): unknown => child.kill();
  process.on('SIGINT', wait).on('SIGTERM', stop);
  const [[code, signal]] = (await Promise.all([once(child, 'exit'), once(lines, 'close')])) as unknown as [
    [number | null, NodeJS.Signals | null],
  ];
  process.off('SIGINT', wait).off('SIGTERM', stop);
  return code ?? (signal === 'SIGINT' ? 130 : 143);
}

function howToAttach(url: string): string {
  const { host } = new URL(url);
  return `Waiting for a debugger at ${url}
  VS Code  Run and Debug: "Attach to turnkeep debug", port ${new URL(url).port}
  Chrome   chrome://inspect: Configure… ${host}, then "inspect" below Remote Target
It stops where the workflow begins to decide. Ctrl-C ends it.
`;
}

/** @throws {StartError} where it is none */
async function addressOf(asked: string | undefined): Promise<string> {
  if (asked === undefined) return `${usual.host}:${(await isFree(usual.port)) ? usual.port : 0}`;
  const [, host = usual.host, port] = /^(?:(.+):)?(\d{1,5})$/.exec(asked) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new StartError(`--inspect ${asked}: it has to be HOST:PORT, such as 127.0.0.1:9229; with port 0 a free one is taken.`);
  }
  return `${host}:${port}`;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, usual.host, () => server.close(() => resolve(true)));
  });
}
