/**
 * Calls that wait for an approval, in words: Chat Completions has neither a request for one nor an answer. Nothing of a worker's
 * calls is in `tool_calls`, which a client would take for its own. Pure.
 */
import { isWorkers } from '../../domain/item.ts';
import type { ResponseObject } from '../../domain/response/response.ts';

/** Stands between what a model says before its tools have run and after. */
export const betweenSteps = '\n\n';

/** What is waited for, and how it is answered; empty where nothing is. */
export function approvalWords({ id, model, store, conversation, output, status }: ResponseObject): string {
  const asked = output.flatMap((item) => (item.type === 'mcp_approval_request' && isWorkers(item) ? [item] : []));
  if (asked.length === 0 || status !== 'completed') return '';
  const calls = asked.map(({ server_label: server, name, arguments: text }) => {
    const own = server === 'turnkeep' ? '' : ` of the server ${server}`;
    return `The call ${name}(${text})${own} waits for an approval.`;
  });
  return [...calls, store === false ? notStored : howToAnswer()].join('\n');

  function howToAnswer(): string {
    const input = asked.map((item) => ({ type: 'mcp_approval_response', approval_request_id: item.id, approve: true }));
    const place = isNamed(conversation) ? { conversation: conversation.id } : { previous_response_id: id };
    return `To make it: POST /v1/responses with ${JSON.stringify({ model, ...place, input })}; "approve":false refuses a call.`;
  }
}

const notStored = 'This completion is not stored, so it cannot be approved: ask again with "store":true, or in a conversation.';

function isNamed(conversation: unknown): conversation is { readonly id: string } {
  return typeof conversation === 'object' && conversation !== null && 'id' in conversation;
}
