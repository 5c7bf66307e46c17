/**
 * Where pieces go. The answer alone goes to stdout, all else to stderr, so that an answer can be piped on. Where both
 * are one terminal, a line begun by one is ended before the other writes.
 */
import type { Piece } from './pieces.ts';

export interface Layout {
  /** stdout and stderr are the same terminal. */
  readonly isOneScreen: boolean;
  /** The last line of the answer has no newline yet. */
  readonly isAnswerOpen: boolean;
  /** The same of the reasoning. */
  readonly isAsideOpen: boolean;
}

export interface Write {
  readonly to: 'out' | 'err';
  readonly text: string;
}

export interface Laid {
  readonly layout: Layout;
  readonly writes: readonly Write[];
}

export function lay(layout: Layout, piece: Piece): Laid {
  switch (piece.kind) {
    case 'answer':
      if (piece.text === '') return { layout, writes: [] };
      return {
        layout: { ...layout, isAnswerOpen: !piece.text.endsWith('\n'), isAsideOpen: false },
        writes: [...endOfAside(layout, layout.isOneScreen ? '\n\n' : '\n'), { to: 'out', text: piece.text }],
      };
    case 'reasoning':
      if (piece.text === '') return { layout, writes: [] };
      return {
        layout: { ...besideAnswer(layout), isAsideOpen: !piece.text.endsWith('\n') },
        writes: [...breakOfAnswer(layout), { to: 'err', text: piece.text }],
      };
    case 'notice':
      return {
        layout: { ...besideAnswer(layout), isAsideOpen: false },
        writes: [...endOfAside(layout, '\n'), ...breakOfAnswer(layout), { to: 'err', text: `· ${piece.text}\n` }],
      };
    case 'paragraph':
      if (!layout.isAnswerOpen) return { layout, writes: [] };
      return { layout: { ...layout, isAnswerOpen: false }, writes: [{ to: 'out', text: '\n\n' }] };
    case 'end':
      return {
        layout: { ...layout, isAnswerOpen: false, isAsideOpen: false },
        writes: [...endOfAside(layout, '\n'), ...(layout.isAnswerOpen ? [{ to: 'out', text: '\n' } as const] : [])],
      };
  }
}

function endOfAside({ isAsideOpen }: Layout, text: string): readonly Write[] {
  return isAsideOpen ? [{ to: 'err', text }] : [];
}

/** Of a terminal alone: the answer itself has no newline here. */
function breakOfAnswer({ isOneScreen, isAnswerOpen }: Layout): readonly Write[] {
  return isOneScreen && isAnswerOpen ? [{ to: 'err', text: '\n' }] : [];
}

function besideAnswer(layout: Layout): Layout {
  return layout.isOneScreen ? { ...layout, isAnswerOpen: false } : layout;
}
