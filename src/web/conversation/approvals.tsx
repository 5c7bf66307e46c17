/** Calls that are not made before somebody approves them. */
import { type ReactNode, useState } from 'react';
import { Code, toolName } from './item-view.tsx';
import type { ShownItem } from './shown-item.ts';
import type { ApprovalAnswer } from './use-outbox.ts';

/** The requests that nobody has answered, oldest first. */
export function openApprovals(items: readonly ShownItem[]): readonly ShownItem[] {
  const answered = new Set(items.flatMap(({ answers }) => answers?.request ?? []));
  return items.filter(({ type, id }) => type === 'mcp_approval_request' && !answered.has(id));
}

export interface ApprovalsProps {
  readonly open: readonly ShownItem[];
  readonly onAnswer: (answers: readonly ApprovalAnswer[]) => void;
}

/** Of several calls the answers are sent together, once each has one. */
export function Approvals({ open, onAnswer }: ApprovalsProps): ReactNode {
  const [answers, setAnswers] = useState<readonly ApprovalAnswer[]>([]);
  const undecided = open.filter(({ id }) => !answers.some((answer) => answer.approval_request_id === id));
  const decide = (answer: ApprovalAnswer): void => {
    const all = [...answers, answer];
    if (undecided.length > 1) return setAnswers(all);
    setAnswers([]);
    onAnswer(all.filter(({ approval_request_id: id }) => open.some((item) => item.id === id)));
  };
  return (
    <section className="approvals" aria-label="Waiting for your approval">
      {open.length > 1 ? (
        <p role="status">
          {open.length - undecided.length} of {open.length} decided; they are sent together.
        </p>
      ) : null}
      {undecided.map((item) => (
        <Approval key={item.id} item={item} onDecide={decide} />
      ))}
    </section>
  );
}

function Approval({ item, onDecide }: { readonly item: ShownItem; readonly onDecide: (answer: ApprovalAnswer) => void }): ReactNode {
  const [reason, setReason] = useState('');
  const answer = { type: 'mcp_approval_response', approval_request_id: item.id } as const;
  return (
    <article className="approval" aria-label={`${toolName(item)} waits for your approval`}>
      <h3>
        <code>{toolName(item)}</code> waits for your approval
      </h3>
      <Code text={item.arguments ?? ''} />
      <div className="approval-foot">
        <input
          aria-label="Reason for a refusal, told to the model"
          placeholder="Reason for a refusal, told to the model"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        <button
          type="button"
          className="plain"
          onClick={() => onDecide({ ...answer, approve: false, ...(reason.trim() === '' ? {} : { reason: reason.trim() }) })}
        >
          Refuse
        </button>
        <button type="button" className="primary" onClick={() => onDecide({ ...answer, approve: true })}>
          Approve
        </button>
      </div>
    </article>
  );
}
