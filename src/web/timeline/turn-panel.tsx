/** A turn: how it ended, what can be done with it, and its timeline. */
import type { ReactNode } from 'react';
import { statusOf } from '../api/client.tsx';
import { useTurn } from '../api/queries.ts';
import { isSettled, type Usage } from '../api/types.ts';
import { to, toSession } from '../shell/route.ts';
import { between, count, dollars, duration, moment, StatusMark } from '../shell/words.tsx';
import { Actions } from './actions.tsx';
import { Facts } from './details.tsx';
import { TemporalEvents } from './temporal-events.tsx';
import { Timeline } from './timeline.tsx';

export function TurnPanel({ id }: { readonly id: string }): ReactNode {
  const { data: report, dataUpdatedAt, error } = useTurn(id);
  if (report === undefined) {
    return (
      <p className="empty">
        {statusOf(error) === 404 ? `There is no turn ${id}.` : error === null ? '' : 'The turn cannot be read just now.'}
      </p>
    );
  }
  return (
    <div className="turn-panel">
      <h2>
        <StatusMark status={report.status} code={report.error?.code} />
      </h2>
      {report.error === null ? null : <p className="error">{report.error.message}</p>}
      <Actions report={report} />
      <Timeline report={report} nowMs={dataUpdatedAt} />
      <Facts
        facts={[
          ['Turn', <code key="id">{report.id}</code>],
          [
            'Session',
            report.session === null ? undefined : (
              <a key="session" href={toSession(report.session, report.id)}>
                {report.session}
              </a>
            ),
          ],
          [
            'Called by',
            report.parent === undefined ? undefined : (
              <a key="parent" href={to(['turns', report.parent.id])}>
                {report.parent.id}
              </a>
            ),
          ],
          ['Model', report.model],
          ['Accepted', moment(report.created_at)],
          ['Took', isSettled(report) ? duration(between(report.created_at, report.settled_at)) : undefined],
          ['Retry at', report.retry_at === undefined ? undefined : moment(report.retry_at)],
          ['Used', usageWords(report.usage)],
          [
            'Lost by failures',
            report.lost_usage === null || report.lost_usage.total_tokens === 0 ? undefined : usageWords(report.lost_usage),
          ],
          ['Workflow', report.workflow_id],
          ['Run', report.run_id],
        ]}
      />
      <TemporalEvents turn={report} />
    </div>
  );
}

function usageWords(usage: Usage | null): string | undefined {
  if (usage === null) return undefined;
  const { input_tokens: input, output_tokens: output, cost_usd: cost } = usage;
  return `${count(input)} tokens in, ${count(output)} out${cost === undefined ? '' : `, ${dollars(cost)}`}`;
}

/** On a page of its own: it may have no session. */
export function TurnPage({ id }: { readonly id: string }): ReactNode {
  return (
    <main className="page" id="main" tabIndex={-1} data-focus="main">
      <h1>Turn</h1>
      <TurnPanel id={id} />
    </main>
  );
}
