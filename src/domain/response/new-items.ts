/** The items of an answer as they begin. Their ids follow from the id of the response and their place in it. Pure. */
import type { CallItem, JsonObject, OutputMessage, ProviderFields, ReasoningItem } from '../item.ts';
import type { ModelDelta } from '../model.ts';

export function itemId(prefix: string, responseId: string, index: number): string {
  return `${prefix}_${responseId.replace(/^resp_/, '')}${String(index).padStart(4, '0')}`;
}

/** The way back of `itemId`: the response that an item is of, if its id is one of those. */
export function responseIdOf(id: string): string | undefined {
  const named = /^[a-z]+_(.+)\d{4}$/.exec(id)?.[1];
  return named === undefined ? undefined : `resp_${named}`;
}

/** @param members what it has beside its texts */
export function newMessage(responseId: string, index: number, members: JsonObject): OutputMessage {
  const id = itemId('msg', responseId, index);
  return { id, type: 'message', status: 'in_progress', role: 'assistant', content: [], ...members };
}

export function newReasoning(responseId: string, index: number, fields: ProviderFields | undefined): ReasoningItem {
  const id = itemId('rs', responseId, index);
  return { id, type: 'reasoning', status: 'in_progress', summary: [], ...(fields === undefined ? {} : { provider_fields: fields }) };
}

export function newCall(responseId: string, index: number, delta: ModelDelta & { readonly type: 'tool_call' }): CallItem {
  const { callId: call_id, name, members, providerFields } = delta;
  const more = { ...members, ...(providerFields === undefined ? {} : { provider_fields: providerFields }) };
  const status = 'in_progress';
  if (delta.isCustom === true) {
    return { id: itemId('ctc', responseId, index), type: 'custom_tool_call', status, call_id, name, input: '', ...more };
  }
  return { id: itemId('fc', responseId, index), type: 'function_call', status, call_id, name, arguments: '', ...more };
}
