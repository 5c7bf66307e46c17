import type { z } from 'zod';
import { CallError } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';

/** @throws {CallError} when the answer of a gateway is not what turnkeep answers */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, value: unknown, { url }: GatewayClient): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const message = `the answer is not what turnkeep answers: is ${url} the address of a gateway, with its /v1?`;
  throw new CallError({ type: 'refused', status: 200, code: undefined, message });
}
