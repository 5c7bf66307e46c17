/** Where an answer may be ended early, for a client that steers it, and nothing of it is torn. Pure. */
import type { OutputItem } from '../item.ts';
import type { ModelDelta } from '../model.ts';
import type { OpenItem } from './stream-state.ts';

/** What the client is to carry out, or to approve. */
const clientCalls: ReadonlySet<string> = new Set([
  'function_call',
  'custom_tool_call',
  'computer_call',
  'shell_call',
  'local_shell_call',
  'apply_patch_call',
  'tool_search_call',
  'mcp_approval_request',
]);

/**
 * Would the answer be torn if it ended here? Not in reasoning, nor where an item has its end; where there are calls for the
 * client, all of them are to come.
 * @param next what would come, if it is known: it may be the end of the open item
 */
export function isTornBefore(items: readonly OpenItem[], next?: ModelDelta): boolean {
  if (items.some(({ item }) => asksClient(item))) return true;
  const isMessageWhole = next !== undefined && beginsAnother(next);
  return items.some(({ isDone, item }) => !isDone && item.type !== 'reasoning' && !(isMessageWhole && item.type === 'message'));
}

/** Is the client to carry it out, or to approve it, before the turn can go on? */
export function asksClient({ type }: OutputItem): boolean {
  return clientCalls.has(type);
}

/** Does this delta begin something else than the message before it? Its sources, and signatures without a text, still belong to it. */
function beginsAnother({ type, text }: ModelDelta): boolean {
  return type === 'message' || type === 'tool_call' || type === 'opaque' || (type === 'reasoning' && text !== '');
}
