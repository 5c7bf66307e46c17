/**
 * How Temporal's dev server is started. The server ignores keys that it does not know; that it knows these is tested by wrong
 * values, which it reports (`test/cli/server-arguments.test.ts`).
 */

/** Dynamic configuration; values are JSON. That of a server of one's own is the same (`deploy/temporal/dynamic-config.yaml`). */
export const dynamicConfig: { readonly [key: string]: number | string | boolean } = {
  // Each queue polls 20 times a second by default, so that every step of a turn waits up to 50 ms.
  'history.transferProcessorMaxPollRPS': 5000,
  'history.timerProcessorMaxPollRPS': 5000,
  'history.visibilityProcessorMaxPollRPS': 5000,
  'history.outboundProcessorMaxPollRPS': 5000,
  // Without it a turn shorter than a second keeps the next one of its session waiting for the rest of that second.
  'history.workflowIdReuseMinimalInterval': '0s',
  // Cancels are pushed to the worker (18 ms) instead of waiting for its next heartbeat (1 s). Both are needed.
  'frontend.WorkerCommandsEnabled': true,
  'system.enableCancelActivityWorkerCommand': true,
  // Tasks that find no worker free are handed out tenant by tenant (`client/priority.ts`), not in the order of their arrival.
  'matching.enableFairness': true,
};

/**
 * Of its database file. By default each of its commits waits for the disk, which halves the workflows a second. With these a
 * kill of the server loses nothing, and a loss of power at most its last instants, which turnkeep's own rows outlive.
 */
const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];

export interface ServerArguments {
  readonly ip: string;
  readonly port: number;
  /** Unset: no web page. */
  readonly uiPort?: number;
  readonly namespace: string;
  /** Unset: in memory. */
  readonly databasePath?: string;
}

export function serverArguments(server: ServerArguments): readonly string[] {
  const basics = ['--ip', server.ip, '--port', String(server.port), '--namespace', server.namespace, '--log-level', 'warn'];
  return [
    'server',
    'start-dev',
    ...basics,
    ...(server.uiPort === undefined ? ['--headless'] : ['--ui-port', String(server.uiPort)]),
    ...(server.databasePath === undefined
      ? []
      : ['--db-filename', server.databasePath, ...pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma])]),
    ...Object.entries(dynamicConfig).flatMap(([key, value]) => ['--dynamic-config-value', `${key}=${JSON.stringify(value)}`]),
  ];
}
