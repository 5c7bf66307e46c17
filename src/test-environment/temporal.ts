/** The Temporal server of a test environment: one that is given, or a dev server in memory, found as `turnkeep dev` finds it. */
import { join } from 'node:path';

export interface TemporalOfTests {
  readonly address: string;
  readonly namespace: string;
}

/** One that was given is not stopped. */
export async function temporalOf(
  given: TemporalOfTests | undefined,
  dataDir: string,
): Promise<TemporalOfTests & { readonly stop: () => Promise<void> }> {
  if (given !== undefined) return { ...given, stop: async () => undefined };
  const [{ findTemporalProgram }, { startDevServer }] = await Promise.all([
    import('../cli/dev-server/find.ts'),
    import('../cli/dev-server/start.ts'),
  ]);
  const cli = process.env['TEMPORAL_CLI'];
  const { path: program } = await findTemporalProgram({ dataDir, env: process.env, ...(cli ? { cli } : {}) });
  const namespace = 'default';
  const server = await startDevServer({ program, namespace, hasUi: false, logPath: join(dataDir, 'temporal.log') });
  // A test that is killed takes it along: its watchdog stops it.
  server.unref();
  return {
    address: server.address,
    namespace,
    async stop() {
      // Nothing else may be left that keeps the process from its end before the server's.
      const alive = setInterval(() => undefined, 1_000);
      await server.stop();
      clearInterval(alive);
    },
  };
}
