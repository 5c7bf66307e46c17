/** The items of a session in a list of which only what is seen is there, the newest at its end. */
import { type ReactNode, useEffect, useMemo, useRef } from 'react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { ItemView } from './item-view.tsx';
import type { ShownItem } from './shown-item.ts';
import { TurnLine } from './turn-line.tsx';
import type { LiveTurn } from './use-live-turn.ts';

export interface TranscriptProps {
  readonly session: string;
  readonly items: readonly ShownItem[];
  readonly isLoading: boolean;
  readonly live: LiveTurn | undefined;
  readonly hasOlder: boolean;
  readonly loadOlder: () => void;
  readonly selectedTurn: string | undefined;
  readonly onFollowAgain: () => void;
}

type Row =
  | { readonly kind: 'item'; readonly key: string; readonly item: ShownItem }
  | { readonly kind: 'end'; readonly key: string; readonly turn: string }
  | { readonly kind: 'live'; readonly key: string; readonly live: LiveTurn };

export function Transcript(props: TranscriptProps): ReactNode {
  const { session, items, isLoading, live, hasOlder, loadOlder, selectedTurn, onFollowAgain } = props;
  const rows = useMemo(() => rowsOf(items, live), [items, live]);
  const scroll = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 90,
    getItemKey: (index) => rows[index]?.key ?? index,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: 80,
    overscan: 6,
  });
  const shown = list.getVirtualItems();
  const first = shown[0]?.index;
  useEffect(() => {
    if (first !== undefined && first < 10 && hasOlder) loadOlder();
  }, [first, hasOlder, loadOlder, rows.length]);

  const isEmpty = rows.length === 0 && !isLoading;
  return (
    <>
      <div className="scroll transcript" ref={scroll} tabIndex={0} role="group" aria-label="Conversation">
        {isEmpty ? <p className="empty">Nothing was said yet.</p> : null}
        <div className="virtual" style={{ height: list.getTotalSize() }}>
          {shown.map(({ index, key, start }) => {
            const row = rows[index];
            return row === undefined ? null : (
              <div key={key} className="row" data-index={index} ref={list.measureElement} style={{ transform: `translateY(${start}px)` }}>
                {row.kind === 'item' ? <ItemView item={row.item} /> : null}
                {row.kind === 'end' ? <TurnLine session={session} turn={row.turn} isSelected={row.turn === selectedTurn} /> : null}
                {row.kind === 'live' ? <LiveLine live={row.live} onFollowAgain={onFollowAgain} /> : null}
              </div>
            );
          })}
        </div>
      </div>
      <p className="hidden" role="status">
        {announcement(live, items)}
      </p>
    </>
  );
}

function LiveLine({ live, onFollowAgain }: { readonly live: LiveTurn; readonly onFollowAgain: () => void }): ReactNode {
  if (live.lost !== undefined) {
    return (
      <p className="trouble error">
        The gateway does not answer ({live.lost}). The answer goes on there.{' '}
        <button type="button" className="plain" onClick={onFollowAgain}>
          Look again
        </button>
      </p>
    );
  }
  return (
    <p className="live-line aside">
      <span className="status in_progress">
        <span className="dot" aria-hidden="true" />
      </span>
      {live.notice ?? 'answering'}
    </p>
  );
}

/** What somebody hears who does not see the page: not every delta. */
function announcement(live: LiveTurn | undefined, items: readonly ShownItem[]): string {
  if (live !== undefined && live.outcome === undefined) return live.notice ?? 'The answer is under way.';
  const last = items.at(-1);
  if (last?.type === 'mcp_approval_request') return 'A call waits for your approval.';
  return last?.type === 'message' && last.role === 'assistant' ? last.text : '';
}

/** Each turn's items, and its end behind them. The session has the answer that is under way in part: the rest is with its turn. */
function rowsOf(items: readonly ShownItem[], live: LiveTurn | undefined): readonly Row[] {
  const known = new Set(items.map(({ id }) => id));
  const streamed = (live?.items ?? []).filter(({ id }) => !known.has(id));
  const at = items.findLastIndex(({ turn }) => turn === live?.id) + 1 || items.length;
  const rows: Row[] = [];
  const uses = new Map<string, number>();
  const add = (part: readonly ShownItem[]): void => {
    for (const [index, item] of part.entries()) {
      // An id may stand in a session several times.
      const use = (uses.get(item.id) ?? 0) + 1;
      uses.set(item.id, use);
      rows.push({ kind: 'item', key: use === 1 ? item.id : `${item.id}~${use}`, item });
      const isLast = part[index + 1]?.turn !== item.turn;
      if (isLast && item.turn !== null && item.turn !== live?.id) rows.push({ kind: 'end', key: `end ${item.turn}`, turn: item.turn });
    }
  };
  add(items.slice(0, at));
  if (live === undefined) return rows;
  add(streamed);
  rows.push(
    live.outcome === undefined ? { kind: 'live', key: `live ${live.id}`, live } : { kind: 'end', key: `end ${live.id}`, turn: live.id },
  );
  add(items.slice(at));
  return rows;
}
