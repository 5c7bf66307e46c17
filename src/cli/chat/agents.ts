/** The agents of a gateway, which it lists among its models. */
import { z } from 'zod';
import type { GatewayClient } from '../../http-client/calls.ts';
import { readAnswer } from '../gateway/open.ts';
import { GatewayError } from '../gateway/target.ts';
import { nearestName } from '../../domain/nearest-name.ts';

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string(), owned_by: z.string().optional() })) });

/** A name that is no agent's would be asked for as a model. @throws {GatewayError} with those that there are */
export async function checkAgent(client: GatewayClient, name: string): Promise<void> {
  const { data } = readAnswer(modelsSchema, await client.json('GET', '/models'), client);
  const names = data.flatMap(({ id, owned_by: owner }) => (owner === 'turnkeep' ? [id] : []));
  if (names.includes(name)) return;
  const near = nearestName(name, names);
  const there =
    names.length === 0
      ? 'it has none: turnkeep.config.ts of the gateway declares them.'
      : `${near === undefined ? '' : `did you mean ${near}? `}It has ${names.join(', ')}.`;
  throw new GatewayError(`There is no agent ${name} at ${client.url}: ${there}`);
}
