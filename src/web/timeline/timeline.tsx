/** The parts of a turn to scale, each opening to what is known of it. */
import { type ReactNode, useMemo, useState } from 'react';
import { ticks } from 'd3-array';
import type { TurnReport } from '../api/types.ts';
import { duration } from '../shell/words.tsx';
import { AttemptDetails, CallDetails } from './details.tsx';
import { type Part, timelineOf } from './parts.ts';

export interface TimelineProps {
  readonly report: TurnReport;
  /** When the report was read. */
  readonly nowMs: number;
}

export function Timeline({ report, nowMs }: TimelineProps): ReactNode {
  const { parts, totalMs } = useMemo(() => timelineOf(report, nowMs), [report, nowMs]);
  const [open, setOpen] = useState<string>();
  const scale = (ms: number): number => (ms / totalMs) * 100;
  return (
    <div className="timeline">
      <div className="axis" aria-hidden="true">
        {ticks(0, totalMs, 4).map((tick) => (
          <span key={tick} className="tick" style={{ left: `${scale(tick)}%` }}>
            {tick === 0 ? '0' : duration(tick)}
          </span>
        ))}
      </div>
      <ol className="parts">
        {parts.map((part) => (
          <li key={part.key}>
            <button
              type="button"
              className="part"
              aria-expanded={open === part.key}
              onClick={() => setOpen((before) => (before === part.key ? undefined : part.key))}
            >
              <span className="part-label">
                <span>{part.label}</span>
                <span className="part-end">{endWords(part)}</span>
              </span>
              <Bar part={part} scale={scale} />
            </button>
            {open === part.key ? <Details report={report} part={part} /> : null}
          </li>
        ))}
      </ol>
    </div>
  );
}

function Bar({ part, scale }: { readonly part: Part; readonly scale: (ms: number) => number }): ReactNode {
  const { kind, outcome, fromMs, untilMs, firstEventMs } = part;
  const wide = { left: `${scale(fromMs)}%`, width: `${Math.max(0.6, scale(untilMs) - scale(fromMs))}%` };
  const first = firstEventMs === undefined || untilMs === fromMs ? undefined : ((firstEventMs - fromMs) / (untilMs - fromMs)) * 100;
  return (
    <span className="track" aria-hidden="true">
      <span className={`bar ${kind} ${outcome}`} style={wide}>
        {first === undefined ? null : <span className="flow" style={{ left: `${Math.min(100, Math.max(0, first))}%` }} />}
      </span>
    </span>
  );
}

function endWords({ kind, outcome, fromMs, untilMs, attempt }: Part): string {
  const took = duration(untilMs - fromMs);
  if (kind === 'queue' || kind === 'wait') return took;
  return outcome === 'completed' ? took : `${attempt?.code ?? outcome.replaceAll('_', ' ')} · ${took}`;
}

function Details({ report, part }: { readonly report: TurnReport; readonly part: Part }): ReactNode {
  const { kind, attempt, call, fromMs, untilMs } = part;
  if (kind === 'request' && attempt !== undefined) return <AttemptDetails attempt={attempt} turn={report} />;
  if (call !== undefined) return <CallDetails call={call} turn={report} />;
  return (
    <div className="part-details">
      <p>
        {kind === 'wait'
          ? `The next request was made after ${duration(untilMs - fromMs)}; ${duration(attempt?.wait_ms ?? 0)} were planned${attempt?.code === 'provider_busy' ? ', as the provider asked or by default' : ''}.`
          : `From the moment the turn was accepted to its first request: ${duration(untilMs - fromMs)}.`}
      </p>
    </div>
  );
}
