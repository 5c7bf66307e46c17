/** A person's answers to requests for approvals, as requests bring them: items that turnkeep keeps as they came. Pure. */
import { type Item, isCallOutput, type NewItem } from '../item.ts';

export interface ApprovalResponse {
  /** Of the `mcp_approval_request`. */
  readonly id: string;
  readonly isApproved: boolean;
  readonly reason: string | undefined;
}

export function approvalResponseOf(item: Item | NewItem): ApprovalResponse | undefined {
  if ((item.type as string) !== 'mcp_approval_response') return undefined;
  const { approval_request_id: id, approve, reason } = item as { readonly [member: string]: unknown };
  return typeof id === 'string' ? { id, isApproved: approve === true, reason: typeof reason === 'string' ? reason : undefined } : undefined;
}

export function approvalResponse({ id, isApproved, reason }: ApprovalResponse): NewItem {
  const said = reason === undefined || reason === '' ? {} : { reason };
  return { type: 'mcp_approval_response', approval_request_id: id, approve: isApproved, ...said } as unknown as NewItem;
}

/** Does it go on with a call of the answer before, instead of saying something new? */
export function answersCall(item: Item | NewItem): boolean {
  return isCallOutput(item as Item) || approvalResponseOf(item) !== undefined;
}
