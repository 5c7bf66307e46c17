/** The client of a command that talks to a gateway: over HTTP, as any client does. */
import { Agent, fetch } from 'undici';
import type { z } from 'zod';
import { CallError } from '../../http-client/call-error.ts';
import { GatewayClient } from '../../http-client/calls.ts';
import type { GatewayFlags } from './flags.ts';
import { GatewayError, gatewayProblem, gatewayTarget } from './target.ts';

/** Half of what the platform's own `fetch` waits for: a person is watching. */
const connectTimeoutMs = 5_000;

/** @throws {ConfigError} when the address is none */
export function openGateway(flags: GatewayFlags): GatewayClient {
  const dispatcher = new Agent({ connect: { timeout: connectTimeoutMs } });
  return new GatewayClient({ ...gatewayTarget(flags, process.env), fetch: (url, init) => fetch(url, { ...init, dispatcher }) });
}

/** Is a key sent? */
export function hasGatewayKey(flags: GatewayFlags): boolean {
  return gatewayTarget(flags, process.env).apiKey !== undefined;
}

/** @throws {GatewayError} where a call of `act` is refused, or no gateway answers it */
export async function withGatewayErrors<T>(client: GatewayClient, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    throw new GatewayError(gatewayProblem(client.url, error.failure), { cause: error });
  }
}

/** @throws {CallError} when the answer of a gateway is not what turnkeep answers */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, value: unknown, { url }: GatewayClient): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const message = `the answer is not what turnkeep answers: is ${url} the address of a gateway, with its /v1?`;
  throw new CallError({ type: 'refused', status: 200, code: undefined, message });
}
