/** Requests for approvals in the report of a turn: when they were asked, and which turn answered them. Pure. */
import { isWorkers, type OutputItem } from '../item.ts';
import { iso, preview } from './timeline-text.ts';

/** An answered request, by ids that the tenant knows; undefined where that turn is gone. */
export interface AskedApproval {
  readonly id: string;
  readonly askedBy: string | undefined;
  /** With the end of the turn that asked. */
  readonly askedAtMs: number | undefined;
  readonly answer: { readonly by: string | undefined; readonly atMs: number; readonly isApproved: boolean } | undefined;
}

/** Those that a turn has asked for, answered or not. @param settledAtMs of that turn */
export function approvalReports(
  output: readonly OutputItem[],
  approvals: readonly AskedApproval[],
  settledAtMs: number | null,
): readonly object[] {
  return output.flatMap((item) => {
    if (item.type !== 'mcp_approval_request' || !isWorkers(item)) return [];
    const answer = approvals.find(({ id }) => id === item.id);
    return [
      {
        id: item.id,
        name: item.name,
        server_label: item.server_label,
        arguments: preview(item.arguments),
        asked_at: settledAtMs === null ? null : iso(settledAtMs),
        ...answerReport(answer),
      },
    ];
  });
}

/** The approval of a call that is carried out. */
export function approvalReport(id: string, approvals: readonly AskedApproval[]): object {
  const found = approvals.find((each) => each.id === id);
  return {
    request_id: id,
    ...(found?.askedBy === undefined ? {} : { asked_by: found.askedBy }),
    ...(found?.askedAtMs === undefined ? {} : { asked_at: iso(found.askedAtMs) }),
    ...answerReport(found),
  };
}

function answerReport(approval: AskedApproval | undefined): object {
  if (approval === undefined) return {};
  const { answer } = approval;
  if (answer === undefined) return { answered: true };
  return {
    answered: true,
    approved: answer.isApproved,
    ...(answer.by === undefined ? {} : { answered_by: answer.by }),
    answered_at: iso(answer.atMs),
  };
}
