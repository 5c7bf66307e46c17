/** A model server whose waits have an end. */
import { type ModelServer, type ModelServerOptions, startModelServer } from '../../src/testing/model-server/index.ts';
import { within } from './within.ts';

export async function startPatientModel(options?: ModelServerOptions): Promise<ModelServer> {
  const server = await startModelServer(options);
  const seen = (): string => {
    const requests = server.requests.map(({ path, bytesSent, endedBy }) => `${path} (${bytesSent} bytes, ${endedBy ?? 'open'})`);
    return `${requests.length} requests: ${requests.join(', ')}`;
  };
  return {
    ...server,
    reached: async (name) => within(`the model to come to '${name}'`, server.reached(name), seen),
    nextRequest: async (n) => within(`request ${n} to reach the model`, server.nextRequest(n), seen),
    clientClosed: async (n) => within(`request ${n} to be closed by its client`, server.clientClosed(n), seen),
  };
}
