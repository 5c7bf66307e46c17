/** What is known of one part of a turn. */
import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useGateway } from '../api/client.tsx';
import type { Attempt, Cause, Item, ToolCall, TurnReport } from '../api/types.ts';
import { Code } from '../conversation/item-view.tsx';
import { to } from '../shell/route.ts';
import { between, duration, moment, plural } from '../shell/words.tsx';
import { Events } from './temporal-events.tsx';

/** Shown by themselves, or not worth a line. */
const shownElsewhere: ReadonlySet<string> = new Set(
  ['attempt', 'causes', 'outcome', 'code', 'detail', 'wait_ms', 'worker', 'retry', 'viewers', 'usage', 'reattached'].concat(
    'requested_at',
    'ended_at',
  ),
);

export function AttemptDetails({ attempt, turn }: { readonly attempt: Attempt; readonly turn: TurnReport }): ReactNode {
  const { outcome, code, detail, causes = [], viewers = [], worker, requested_at: requestedAt, ended_at: endedAt } = attempt;
  const more = Object.entries(attempt).filter(([name, value]) => !shownElsewhere.has(name) && value != null);
  return (
    <div className="part-details">
      <Facts
        facts={[
          ['Outcome', code === undefined ? outcome : `${outcome}, ${code}`],
          ['Detail', detail],
          ['Asked', `${moment(requestedAt)}, ${duration(between(turn.created_at, requestedAt))} after the turn was accepted`],
          ...more.map(([name, value]) => [words(name), valueWords(name, value, requestedAt)] as const),
          ['Ended', endedAt === null ? 'not yet' : `after ${duration(between(requestedAt, endedAt))}`],
          ['Asked again', retryWords(attempt)],
          ...viewers.map(
            ({ viewer, last_event: seen }) =>
              [`Viewer ${viewer}`, seen === null ? 'had seen nothing' : `had seen up to event ${seen}`] as const,
          ),
          ['Worker', worker],
        ]}
      />
      {causes.length === 0 ? null : <Causes causes={causes} />}
      <h3>Temporal’s events of this time</h3>
      <Events turn={turn} from={requestedAt} until={endedAt} />
    </div>
  );
}

/** Did another request follow a failed one, and why? */
function retryWords({ retry, wait_ms: waitMs }: Attempt): string | undefined {
  if (retry === undefined) return waitMs === undefined ? undefined : `after ${duration(waitMs)}`;
  const reason = retry.reason.replaceAll('_', ' ');
  if (!retry.asked_again) return `no: ${reason}`;
  return `after ${duration(retry.wait_ms ?? 0)}, ${reason}${retry.asked_by === 'provider' ? ' of the provider' : ''}; ${plural(retry.requests_left, 'request')} left`;
}

function Causes({ causes }: { readonly causes: readonly Cause[] }): ReactNode {
  return (
    <>
      <h3>Causes, the outermost first</h3>
      <ol className="causes">
        {causes.map(({ name, code, message }) => (
          <li key={[name, code, message].join(' ')}>
            <code>{[name, code].filter(Boolean).join(' ')}</code> {message}
          </li>
        ))}
      </ol>
    </>
  );
}

export function CallDetails({ call, turn }: { readonly call: ToolCall; readonly turn: TurnReport }): ReactNode {
  const { name, server_label: server, outcome, runs, attempts, progress, result, turn: child, call_id: callId } = call;
  const item = turn.output?.find((each) => isOfCall(each, call));
  return (
    <div className="part-details">
      <Facts
        facts={[
          ['Tool', server === 'turnkeep' ? name : `${server}: ${name}`],
          ['Outcome', outcome.replaceAll('_', ' ')],
          ['Begun', runs === 1 ? 'once' : `${runs} times`],
          ['Progress', progress],
          ['Call', callId],
        ]}
      />
      {attempts.length < 2 ? null : (
        <ol>
          {attempts.map((run) => (
            <li key={run.attempt}>
              {run.outcome} after {duration(between(run.started_at, run.ended_at))}
              {run.worker === undefined ? '' : `, ${run.worker}`}
            </li>
          ))}
        </ol>
      )}
      {child === undefined ? null : (
        <p>
          <a href={to(['turns', child])}>The turn that carried it out</a>
        </p>
      )}
      {item?.arguments === undefined ? null : (
        <>
          <h3>Arguments</h3>
          <Code text={item.arguments} />
        </>
      )}
      {result === undefined ? null : <Result path={result} />}
    </div>
  );
}

/** An item does not name its call: a call of the same tool, the only one or that with the same number. */
function isOfCall(item: Item, { name, server_label: server, call_id: callId }: ToolCall): boolean {
  if (item.call_id !== undefined) return item.call_id === callId;
  return item.type === 'mcp_call' && item.name === name && item.server_label === server;
}

/** All that the call came to is text, and may be long. */
function Result({ path }: { readonly path: string }): ReactNode {
  const { apiKey } = useGateway();
  const { data, error } = useQuery({
    queryKey: ['result', path],
    queryFn: async ({ signal }) => {
      const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
      const answer = await fetch(path, { headers, signal });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      return answer.text();
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <>
      <h3>Result</h3>
      {error === null ? <Code text={data ?? ''} /> : <p className="error">It cannot be read: {error.message}</p>}
    </>
  );
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, ReactNode])[] }): ReactNode {
  return (
    <dl className="facts">
      {facts.map(([name, value]) =>
        value == null || value === '' ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function words(name: string): string {
  const text = name.replace(/_at$/, '').replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function valueWords(name: string, value: unknown, from: string): string {
  if (name.endsWith('_at') && typeof value === 'string') return `after ${duration(between(from, value))}`;
  return typeof value === 'string' ? value.replaceAll('_', ' ') : JSON.stringify(value);
}
