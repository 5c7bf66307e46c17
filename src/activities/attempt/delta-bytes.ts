/** What a delta adds to the size of an answer, which is bounded. */
import type { ProviderFields } from '../../domain/item.ts';
import type { ModelDelta } from '../../domain/model.ts';

/** Of an item of the answer, besides its text: its ids, and the events that begin and end it. */
const bytesOfItem = 500;

/** What a delta adds to the answer, but for the item that it begins. */
export function bytesOf(delta: ModelDelta): number {
  const fields = fieldsOf(delta);
  const bytes = Buffer.byteLength(delta.text) + (fields === undefined ? 0 : Buffer.byteLength(JSON.stringify(fields)));
  if (delta.type === 'opaque') return bytes + Buffer.byteLength(JSON.stringify(delta.event));
  if (delta.type === 'annotation') return bytes + Buffer.byteLength(JSON.stringify(delta.annotation));
  if (delta.type === 'text' && delta.logprobs !== undefined) return bytes + Buffer.byteLength(JSON.stringify(delta.logprobs));
  return bytes;
}

/** What an item is begun with, and what its beginning and end take. */
export function bytesOfBeginning(delta: ModelDelta): number {
  const members = 'members' in delta && delta.members !== undefined ? Buffer.byteLength(JSON.stringify(delta.members)) : 0;
  const names = delta.type === 'tool_call' ? Buffer.byteLength(delta.name) + Buffer.byteLength(delta.callId) : 0;
  return bytesOfItem + members + names;
}

export function fieldsOf(delta: ModelDelta): ProviderFields | undefined {
  return delta.type === 'reasoning' || delta.type === 'tool_call' ? delta.providerFields : undefined;
}
