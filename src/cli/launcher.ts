/**
 * Ends with the npm that started it. `npm start` passes a SIGTERM on to its shell alone, which dies of it without a word to
 * this process; a SIGKILL of npm reaches nobody. So the processes between npm and this one are looked at, twice a second.
 *
 * Only where an npm script, npx or the like runs this very command: one that was put in the background (nohup, setsid, `&`),
 * or was started by a shell, systemd or a container, is meant to outlive what started it.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const lookEveryMs = 500;

/** `&` that is neither `&&` nor part of a redirection. */
const background = /(?<![&>])&(?![&>])|\b(nohup|setsid|disown)\b/;

export interface Start {
  readonly env: NodeJS.ProcessEnv;
  /** The file that Node runs. */
  readonly program: string;
}

/**
 * The script by which npm (or yarn, pnpm) runs this program.
 *
 * @returns undefined where it is not run by one: what a script started may start us by hand, such as an editor's terminal
 */
export function ownScript({ env, program }: Start): string | undefined {
  const script = env['npm_lifecycle_script'];
  if (script === undefined || !script.includes(basename(program)) || background.test(script)) return undefined;
  return script;
}

/** Calls `onGone` once, when npm or a process between it and this one is gone. Does not keep the process alive. */
export function watchLauncher(onGone: () => void, start: Start = { env: process.env, program: process.argv[1] ?? '' }): void {
  const script = ownScript(start);
  if (script === undefined) return;
  const chain = chainToNpm(script);
  const timer = setInterval(() => {
    // Whoever loses its parent gets another: process 1, or a nearer one that adopts orphans.
    if (chain.every(({ pid, parent }) => parentOf(pid) === parent)) return;
    clearInterval(timer);
    onGone();
  }, lookEveryMs).unref();
}

interface Link {
  readonly pid: number;
  readonly parent: number;
}

/** From this process up to the one whose parent is npm: npm gives the script to its children, and has it not itself. */
function chainToNpm(script: string): readonly Link[] {
  const chain: Link[] = [{ pid: process.pid, parent: process.ppid }];
  for (let pid = process.ppid; hasScript(pid, script);) {
    const parent = parentOf(pid);
    if (parent === undefined) break;
    chain.push({ pid, parent });
    pid = parent;
  }
  return chain;
}

/** Without Linux's /proc only the own parent is known: on macOS that is npm, whose shell gives its place to the command. */
function hasScript(pid: number, script: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`npm_lifecycle_script=${script}`);
  } catch {
    return false;
  }
}

function parentOf(pid: number): number | undefined {
  if (pid === process.pid) return process.ppid;
  try {
    // "22 (a name) S 21 …": a name may have parentheses and spaces.
    const [, parent] = /\) \S (\d+) [^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return parent === undefined ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}
