/** V8's CPU profiles of this process's main thread and of its first worker thread, over the same time. It samples time, not CPU: a wait for the disk counts. */
import { type NodeWorker, type Profiler, Session } from 'node:inspector/promises';

export interface Profiles {
  readonly main: Profiler.Profile;
  /** Of the thread in which Temporal's SDK runs workflows. */
  readonly sandbox?: Profiler.Profile;
}

const samplingIntervalUs = 200;

/** @returns ends it */
export async function startProfiler(): Promise<() => Promise<Profiles>> {
  const session = new Session();
  session.connect();
  const waiting = new Map<number, (result: unknown) => void>();
  let sandbox: string | undefined;
  session.on('NodeWorker.attachedToWorker', ({ params }: { params: NodeWorker.AttachedToWorkerEventDataType }) => {
    sandbox ??= params.sessionId;
  });
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }: { params: NodeWorker.ReceivedMessageFromWorkerEventDataType }) => {
    const { id, result } = JSON.parse(params.message) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  let count = 0;
  const inSandbox = async (method: string, params?: object): Promise<unknown> => {
    if (sandbox === undefined) return undefined;
    const id = (count += 1);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    waiting.set(id, resolve);
    await session.post('NodeWorker.sendMessageToWorker', { sessionId: sandbox, message: JSON.stringify({ id, method, params }) });
    return promise;
  };
  const interval = { interval: samplingIntervalUs };
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', interval);
  await inSandbox('Profiler.enable');
  await inSandbox('Profiler.setSamplingInterval', interval);
  await inSandbox('Profiler.start');
  await session.post('Profiler.start');
  return async () => {
    const { profile: main } = await session.post('Profiler.stop');
    const stopped = (await inSandbox('Profiler.stop')) as { profile: Profiler.Profile } | undefined;
    session.disconnect();
    return { main, ...(stopped === undefined ? {} : { sandbox: stopped.profile }) };
  };
}
