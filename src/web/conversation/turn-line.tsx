/** Behind the items of a turn: how it ended, what it took, and quietly what had to be done again. */
import type { ReactNode } from 'react';
import { useTurn } from '../api/queries.ts';
import type { Attempt, TurnReport } from '../api/types.ts';
import { toSession } from '../shell/route.ts';
import { between, duration, tokens, StatusMark } from '../shell/words.tsx';

export interface TurnLineProps {
  readonly session: string;
  readonly turn: string;
  readonly isSelected: boolean;
}

export function TurnLine({ session, turn, isSelected }: TurnLineProps): ReactNode {
  const { data: report } = useTurn(turn);
  const address = isSelected ? toSession(session) : toSession(session, turn);
  return (
    <div className="turn-line">
      {report === undefined ? null : <Troubles report={report} />}
      <p className="aside">
        {report === undefined || report.status === 'completed' ? null : <StatusMark status={report.status} />}
        {report === undefined ? null : <span>{duration(between(report.created_at, report.settled_at))}</span>}
        {report?.usage == null ? null : <span>{tokens(report.usage.total_tokens)}</span>}
        <a href={address} aria-expanded={isSelected} aria-label={`Timeline of ${turn}`}>
          timeline
        </a>
      </p>
    </div>
  );
}

function Troubles({ report }: { readonly report: TurnReport }): ReactNode {
  const retries = report.steps.flatMap((step) =>
    'attempts' in step ? step.attempts.filter(({ wait_ms: wait }) => wait !== undefined) : [],
  );
  return (
    <>
      {retries.map((attempt) => (
        <p key={attempt.requested_at} className="trouble">
          {retryWords(attempt)}
        </p>
      ))}
      {report.error === null ? null : (
        <p className="trouble error">
          <code>{report.error.code}</code> {report.error.message}
        </p>
      )}
    </>
  );
}

function retryWords({ attempt, code, detail, wait_ms: waitMs = 0 }: Attempt): string {
  const what = [code ?? 'lost', detail].filter(Boolean).join(', ');
  return `request ${attempt}: ${what}; asked again after ${duration(waitMs)}`;
}
