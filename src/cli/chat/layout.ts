/**
 * Which stream a piece is written to. The answer alone goes to stdout, all else to stderr, so that an answer can be piped
 * on. Where both are one terminal, a line that one of them began is ended before the other writes.
 */
import type { Piece } from './pieces.ts';

export interface Layout {
  /** stdout and stderr are the same terminal. */
  readonly isOneScreen: boolean;
  /** The last line of the answer has no newline yet. */
  readonly isAnswerOpen: boolean;
  /** The last line of the reasoning has no newline yet. */
  readonly isReasoningOpen: boolean;
  /** The call whose line has no newline yet. */
  readonly openCall?: string | undefined;
}

export interface Write {
  readonly to: 'out' | 'err';
  readonly text: string;
}

export interface LaidOut {
  readonly layout: Layout;
  readonly writes: readonly Write[];
}

/** @returns what to write, and the layout after it */
export function layOut(layout: Layout, piece: Piece): LaidOut {
  const { openCall, ...closed } = layout;
  if (openCall === undefined || isNothing(piece)) return layOutPiece(layout, piece);
  if (piece.kind === 'call_end' && piece.id === openCall) return { layout: closed, writes: [{ to: 'err', text: ` ${piece.end}\n` }] };
  const next = layOutPiece(closed, piece);
  return { ...next, writes: [{ to: 'err', text: '\n' }, ...next.writes] };
}

function isNothing(piece: Piece): boolean {
  return piece.kind === 'paragraph' || ((piece.kind === 'answer' || piece.kind === 'reasoning') && piece.text === '');
}

function layOutPiece(layout: Layout, piece: Piece): LaidOut {
  switch (piece.kind) {
    case 'answer':
      if (piece.text === '') return { layout, writes: [] };
      return {
        layout: { ...layout, isAnswerOpen: !piece.text.endsWith('\n'), isReasoningOpen: false },
        writes: [...endOfReasoning(layout, layout.isOneScreen ? '\n\n' : '\n'), { to: 'out', text: piece.text }],
      };
    case 'reasoning':
      if (piece.text === '') return { layout, writes: [] };
      return {
        layout: { ...withAnswerBroken(layout), isReasoningOpen: !piece.text.endsWith('\n') },
        writes: [...breakOfAnswer(layout), { to: 'err', text: piece.text }],
      };
    case 'notice':
      return lineOf(layout, `· ${piece.text}\n`);
    case 'call': {
      const { layout: next, writes } = lineOf(layout, `· ${piece.text}`);
      return { layout: { ...next, openCall: piece.id }, writes };
    }
    case 'call_end':
      return lineOf(layout, `· ${piece.text} ${piece.end}\n`);
    case 'paragraph':
      if (!layout.isAnswerOpen) return { layout, writes: [] };
      return { layout: { ...layout, isAnswerOpen: false }, writes: [{ to: 'out', text: '\n\n' }] };
    case 'end':
      return {
        layout: { ...layout, isAnswerOpen: false, isReasoningOpen: false },
        writes: [...endOfReasoning(layout, '\n'), ...(layout.isAnswerOpen ? [{ to: 'out', text: '\n' } as const] : [])],
      };
  }
}

function lineOf(layout: Layout, text: string): LaidOut {
  return {
    layout: { ...withAnswerBroken(layout), isReasoningOpen: false },
    writes: [...endOfReasoning(layout, '\n'), ...breakOfAnswer(layout), { to: 'err', text }],
  };
}

function endOfReasoning({ isReasoningOpen }: Layout, text: string): readonly Write[] {
  return isReasoningOpen ? [{ to: 'err', text }] : [];
}

/** Only on a terminal: in a pipe the answer keeps the bytes it came with. */
function breakOfAnswer({ isOneScreen, isAnswerOpen }: Layout): readonly Write[] {
  return isOneScreen && isAnswerOpen ? [{ to: 'err', text: '\n' }] : [];
}

function withAnswerBroken(layout: Layout): Layout {
  return layout.isOneScreen ? { ...layout, isAnswerOpen: false } : layout;
}
