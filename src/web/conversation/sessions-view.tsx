/** Sessions on the left, one of them in the middle, the timeline of one of its turns on the right. */
import { type ReactNode, useCallback, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import { withRetries } from '../../http-client/retry.ts';
import { useGateway } from '../api/client.tsx';
import { go, to, toSession } from '../shell/route.ts';
import { TurnPanel } from '../timeline/turn-panel.tsx';
import { Composer } from './composer.tsx';
import { Conversation } from './conversation.tsx';
import { SessionList } from './session-list.tsx';
import { useOutbox } from './use-outbox.ts';

export function SessionsView({ session, turn }: { readonly session: string | undefined; readonly turn: string | undefined }): ReactNode {
  const queries = useQueryClient();
  const [accepted, setAccepted] = useState<{ readonly session: string; readonly turn: string }>();
  const outbox = useOutbox(
    useCallback(
      (of: string, id: string) => {
        setAccepted({ session: of, turn: id });
        void queries.invalidateQueries({ queryKey: ['sessions'] });
        void queries.invalidateQueries({ queryKey: ['running', null] });
      },
      [queries],
    ),
  );
  const view = turn !== undefined ? 'with-timeline' : session !== undefined ? 'with-session' : 'with-sessions';
  return (
    <main className={`three ${view}`} id="main" tabIndex={-1} data-focus="main">
      <h1 className="hidden">Sessions</h1>
      <SessionList selected={session} />
      {session === undefined ? (
        <NewSession
          onSend={(id, input, model) => {
            outbox.send({ session: id, input, model, whenBusy: 'enqueue' });
            go(toSession(id));
          }}
        />
      ) : (
        <Conversation
          key={session}
          session={session}
          selectedTurn={turn}
          outbox={outbox}
          accepted={accepted?.session === session ? accepted.turn : undefined}
        />
      )}
      {session === undefined || turn === undefined ? null : (
        <section className="beside" aria-label="Timeline of a turn">
          <a className="close" href={toSession(session)} aria-label="Close the timeline">
            ×
          </a>
          <TurnPanel id={turn} />
          <p className="aside">
            <a href={to(['turns', turn])}>on a page of its own</a>
          </p>
        </section>
      )}
    </main>
  );
}

interface NewSessionProps {
  readonly onSend: (session: string, text: string, model: string | undefined) => void;
}

function NewSession({ onSend }: NewSessionProps): ReactNode {
  const { client, noticeFailure } = useGateway();
  const [state, setState] = useState('');
  const begin = async (text: string, model: string | undefined): Promise<void> => {
    try {
      setState('');
      const made = (await withRetries(() => client.json('POST', '/conversations', { body: {} }))) as { readonly id: string };
      onSend(made.id, text, model);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      noticeFailure(error);
      setState(`Not sent: ${describeFailure(error.failure)}`);
    }
  };
  return (
    <section className="conversation" aria-label="New session">
      <h2 className="conversation-title">New session</h2>
      <div className="scroll transcript">
        <p className="empty">Your first message begins a session. What is accepted is answered, whatever is restarted meanwhile.</p>
      </div>
      <div className="below">
        <p role="status" className="error">
          {state}
        </p>
        <Composer
          isBusy={false}
          isStopping={false}
          model={undefined}
          onStop={() => undefined}
          onSend={(text, model) => void begin(text, model)}
        />
      </div>
    </section>
  );
}
