/** What the examples share: `turnkeep dev`, with a scripted model where no provider is set. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ModelStory, startModelServer } from 'turnkeep/testing';

export interface RunningTurnkeep extends AsyncDisposable {
  /** For OpenAI's client: ends in `/v1`. */
  readonly baseUrl: string;
  readonly temporalAddress: string;
  /** The settings that it runs with, for a worker of one's own. */
  readonly env: NodeJS.ProcessEnv;
}

/** A key, or an address that needs none, means that a real model answers. */
export const hasProvider = Boolean(process.env['OPENAI_API_KEY'] || process.env['OPENAI_BASE_URL']);

/**
 * Starts `turnkeep dev` on a database of its own, which is gone in the end.
 *
 * @param folder with `turnkeep.config.ts`
 * @param story what the model says where there is no provider
 */
export async function startTurnkeep(folder: string, story: ModelStory, extra: NodeJS.ProcessEnv = {}): Promise<RunningTurnkeep> {
  const dataDir = mkdtempSync(join(tmpdir(), 'turnkeep-example-'));
  const model = hasProvider ? undefined : await startModelServer({ fallback: story.reply });
  const scripted = model && { OPENAI_BASE_URL: model.baseUrl, OPENAI_API_KEY: 'sk-scripted' };
  const env = { ...process.env, TURNKEEP_DATA_DIR: dataDir, TURNKEEP_PORT: '0', ...scripted, ...extra };
  const program = fileURLToPath(new URL('bin/turnkeep.js', import.meta.resolve('turnkeep/package.json')));
  const dev = spawn(process.execPath, [...process.execArgv, program, 'dev'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(dev, 'exit');
  const close = async (): Promise<void> => {
    dev.kill('SIGTERM');
    await ended;
    await model?.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: dev.stdout })) {
    if (line.startsWith('Fetching ')) console.log(line);
    if (line !== 'Ctrl-C stops it.') continue;
    dev.stdout.resume();
    const { baseUrl, temporalAddress } = JSON.parse(readFileSync(join(dataDir, 'dev.json'), 'utf8')) as Omit<RunningTurnkeep, 'env'>;
    console.log(`turnkeep runs at ${baseUrl} with ${hasProvider ? 'your provider' : 'a scripted model'}\n`);
    return { baseUrl, temporalAddress, env: { ...env, TEMPORAL_ADDRESS: temporalAddress }, [Symbol.asyncDispose]: close };
  }
  await close();
  throw new Error('turnkeep dev did not start');
}
