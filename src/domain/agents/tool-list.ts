/**
 * What an MCP server offers a turn, as its viewers see it: an `mcp_list_tools` item before the first request, as OpenAI shows it.
 * Nobody is told of it but they: the model is offered the tools themselves. Pure.
 */
import { itemId } from '../response/new-items.ts';
import type { JsonObject, OpaqueItem, OutputItem } from '../item.ts';
import type { UnnumberedEvent } from '../response/response-event.ts';
import type { ResponseObject } from '../response/response.ts';

export interface ToolListing {
  readonly serverLabel: string;
  readonly tools: readonly {
    readonly name: string;
    readonly description: string;
    readonly inputSchema: JsonObject;
    readonly annotations?: JsonObject;
  }[];
  /** Why there are none. */
  readonly error?: string;
}

type ShownList = OpaqueItem & Readonly<Record<string, unknown>>;

/** In characters of JSON: of longer lists the schemas are left out, which may have 64 MB together (T14). */
const maxChars = 262_144;

const listType = 'mcp_list_tools';

/** The events that show the list behind what there is of the output. */
export function listShown(
  { id: response, output }: Pick<ResponseObject, 'id' | 'output'>,
  listing: ToolListing,
): readonly UnnumberedEvent[] {
  const output_index = output.length;
  const item = itemOf(itemId('mcpl', response, output_index), listing);
  const address = { item_id: item.id, output_index };
  const state = listing.error === undefined ? 'completed' : 'failed';
  return [
    { type: 'response.output_item.added', output_index, item: { ...item, tools: [], error: null } as OpaqueItem },
    eventOf('in_progress', address),
    eventOf(state, address),
    { type: 'response.output_item.done', output_index, item },
  ];
}

/** Do these items, of a conversation from its beginning, tell of this list as it is? The last word on a server counts. */
export function isShown(items: readonly { readonly type: string }[], listing: ToolListing): boolean {
  const last = items.findLast((item) => isOwnList(item) && item['server_label'] === listing.serverLabel) as ShownList | undefined;
  return last !== undefined && sameAs(last, itemOf(last.id, listing));
}

/** Is it a list that turnkeep has shown? A provider that has MCP servers of its own shows the like. */
export function isOwnList(item: { readonly type?: string | undefined }): item is ShownList {
  const { type, turnkeep } = item as { readonly type?: string; readonly turnkeep?: unknown };
  return type === listType && typeof turnkeep === 'object' && turnkeep !== null;
}

function itemOf(
  id: string,
  { serverLabel, tools, error = null }: Omit<ToolListing, 'error'> & { readonly error?: string | null },
): ShownList {
  const whole = tools.map(({ name, description, inputSchema, annotations = null }) => ({
    name,
    description,
    input_schema: inputSchema,
    annotations,
  }));
  const isLong = JSON.stringify(whole).length > maxChars;
  const shown = isLong ? whole.map((tool) => ({ ...tool, input_schema: {} })) : whole;
  return { id, type: listType as OutputItem['type'] & OpaqueItem['type'], server_label: serverLabel, tools: shown, error, turnkeep: {} };
}

function sameAs(one: ShownList, other: ShownList): boolean {
  return JSON.stringify([one['tools'], one['error']]) === JSON.stringify([other['tools'], other['error']]);
}

function eventOf(
  state: 'in_progress' | 'completed' | 'failed',
  address: { readonly item_id: string; readonly output_index: number },
): UnnumberedEvent {
  return { type: `response.${listType}.${state}`, ...address } as unknown as UnnumberedEvent;
}
