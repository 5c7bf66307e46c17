/** A session: what was said, the answer that is under way, what waits behind it, and where the next message is written. */
import { type ReactNode, useCallback, useEffect, useMemo, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { cancelResponse } from '../../http-client/resume.ts';
import { withRetries } from '../../http-client/retry.ts';
import { statusOf, useGateway } from '../api/client.tsx';
import { readTurn, useRunningTurns, useSession, useTurns } from '../api/queries.ts';
import { titleOf } from '../shell/words.tsx';
import { Approvals, openApprovals } from './approvals.tsx';
import { Composer } from './composer.tsx';
import { QueuedTurns, SentMessages } from './pending.tsx';
import { Transcript } from './transcript.tsx';
import { useItems } from './use-items.ts';
import { useLiveTurn } from './use-live-turn.ts';
import type { ApprovalAnswer, Outbox } from './use-outbox.ts';

export interface ConversationProps {
  readonly session: string;
  readonly selectedTurn: string | undefined;
  readonly outbox: Outbox;
  /** The last turn of this session that was accepted from this page. */
  readonly accepted: string | undefined;
}

export function Conversation({ session, selectedTurn, outbox, accepted }: ConversationProps): ReactNode {
  const { client } = useGateway();
  const queries = useQueryClient();
  const about = useSession(session);
  const { items, isLoading, error, hasOlder, loadOlder, loadNewer } = useItems(session);
  const { data: unsettled = [], refetch: readUnsettled } = useRunningTurns(session);
  const { data: turns } = useTurns({ session });
  const [followed, setFollowed] = useState<string>();
  const { live, again } = useLiveTurn(followed);
  const [stopping, setStopping] = useState<string>();

  // The oldest is the one that runs. What is followed stays so until its end is shown.
  const head = unsettled[0]?.id;
  if (followed === undefined && head !== undefined) setFollowed(head);

  // Its input is in the session once it runs.
  const isUnderWay = (live?.items.length ?? 0) > 0;
  useEffect(() => {
    if (followed !== undefined) void loadNewer();
  }, [followed, loadNewer]);
  useEffect(() => {
    if (isUnderWay) void loadNewer();
  }, [isUnderWay, loadNewer]);

  const hasEnded = live?.outcome !== undefined;
  useEffect(() => {
    if (!hasEnded || followed === undefined) return;
    const end = async (): Promise<void> => {
      await Promise.allSettled([loadNewer(), readUnsettled(), queries.invalidateQueries({ queryKey: ['turn', followed] })]);
      void queries.invalidateQueries({ queryKey: ['turns', { session }] });
      setFollowed((now) => (now === followed ? undefined : now));
    };
    void end();
  }, [hasEnded, followed, session, loadNewer, readUnsettled, queries]);

  // A short turn may have ended before it is seen to run.
  useEffect(() => {
    if (accepted === undefined) return;
    void readUnsettled().then(() => loadNewer());
    void queries.invalidateQueries({ queryKey: ['turns', { session }] });
  }, [accepted, session, queries, readUnsettled, loadNewer]);

  const waiting = unsettled.filter(({ id }) => id !== followed);
  const sent = outbox.sent.filter(
    (each) =>
      each.session === session &&
      (each.turn === undefined || (items.every(({ turn }) => turn !== each.turn) && unsettled.every(({ id }) => id !== each.turn))),
  );
  const open = useMemo(() => (followed === undefined ? openApprovals(items) : []), [followed, items]);
  const model = turns?.pages[0]?.data[0]?.model ?? undefined;
  const isBusy = followed !== undefined || unsettled.length > 0;

  const stop = useCallback(
    (turn: string) => {
      setStopping(turn);
      // A turn that had its end before is refused: its stream says how it ended.
      void cancelResponse(client, turn)
        .catch(() => undefined)
        .then(() => readUnsettled())
        .finally(() => setStopping(undefined));
    },
    [client, readUnsettled],
  );

  // The agent that asked is the one that goes on.
  const answer = async (input: readonly ApprovalAnswer[]): Promise<void> => {
    const turn = open[0]?.turn ?? undefined;
    const asked = turn === undefined ? undefined : await withRetries(() => readTurn(client, turn));
    outbox.send({ session, input, model: asked?.model ?? model, whenBusy: 'enqueue' });
  };

  const words = items.find(({ role }) => role === 'user')?.text ?? null;
  const title = about.data === undefined ? 'Session' : titleOf({ ...about.data, preview: hasOlder ? null : words });

  if (statusOf(error) === 404) {
    return (
      <section className="conversation" aria-label="Session">
        <p className="empty">There is no session {session}.</p>
      </section>
    );
  }
  return (
    <section className="conversation" aria-label="Session">
      <h2 className="conversation-title">{title}</h2>
      <Transcript
        key={session}
        session={session}
        items={items}
        isLoading={isLoading}
        live={live}
        hasOlder={hasOlder}
        loadOlder={loadOlder}
        selectedTurn={selectedTurn}
        onFollowAgain={again}
      />
      <div className="below">
        <QueuedTurns turns={waiting} sent={outbox.sent} onCancel={stop} />
        <SentMessages sent={sent} onSendAgain={outbox.sendAgain} onDrop={outbox.drop} />
        {open.length === 0 ? null : <Approvals open={open} onAnswer={(input) => void answer(input)} />}
        <Composer
          isBusy={isBusy}
          model={model}
          isStopping={stopping !== undefined && stopping === followed}
          onStop={() => followed !== undefined && stop(followed)}
          onSend={(input, asked, whenBusy) => outbox.send({ session, input, model: asked, whenBusy })}
        />
      </div>
    </section>
  );
}
