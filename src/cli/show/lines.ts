/** Lines of a terminal: bars to scale, texts that fit, and colours where they are wanted. */
import type { styleText } from 'node:util';
import { printable } from '../chat/screen.ts';
import { columnsOf } from '../chat/word-wrap.ts';

export type Style = Parameters<typeof styleText>[0];

/** Of one drawing. */
export interface Canvas {
  readonly columns: number;
  readonly paint: (style: Style, text: string) => string;
  /** Nothing is folded. */
  readonly isWhole: boolean;
  /** The span of time that the bars are drawn to, in ms since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** One line; `atMs` is the moment that it tells of. */
export interface Line {
  readonly text: string;
  /** Without colours. */
  readonly width: number;
  readonly atMs?: number;
}

const labelColumns = 20;
const amountColumns = 10;
const indent = '    ';

export function plain(text: string, { paint }: Canvas, style?: Style, atMs?: number): Line {
  return { text: style === undefined ? text : paint(style, text), width: widthOf(text), ...(atMs === undefined ? {} : { atMs }) };
}

/** A part of a bar: a character, repeated from one moment to another. */
export interface BarPart {
  readonly fromMs: number;
  readonly toMs: number;
  readonly char: string;
  readonly style: Style;
}

/** A label, a bar to scale, and what it comes to. */
export function barLine(canvas: Canvas, label: string, parts: readonly BarPart[], amount: string): Line {
  const { columns, paint, fromMs, toMs } = canvas;
  const room = Math.max(10, columns - labelColumns - amountColumns);
  const at = (ms: number): number => Math.max(0, Math.min(room, Math.floor(((ms - fromMs) / Math.max(1, toMs - fromMs)) * room)));
  let [bar, used] = ['', 0];
  for (const part of parts) {
    // The shortest part can be seen, as long as there is room.
    const begin = Math.min(Math.max(at(part.fromMs), used), room - 1);
    const length = Math.max(1, at(part.toMs) - begin);
    if (begin < used) continue;
    const shown = Math.min(length, room - begin);
    bar += ' '.repeat(begin - used) + paint(part.style, part.char.repeat(shown));
    used = begin + shown;
  }
  const start = parts[0]?.fromMs;
  const text = `${fitted(label, labelColumns - 1).padEnd(labelColumns)}${bar}${' '.repeat(room - used)}${amount.padStart(amountColumns)}`;
  return { text, width: columns, ...(start === undefined ? {} : { atMs: start }) };
}

/** The scale of the bars: where it begins, its middle and its end. */
export function scaleLine(canvas: Canvas): Line {
  const room = Math.max(10, canvas.columns - labelColumns - amountColumns);
  const total = canvas.toMs - canvas.fromMs;
  const [middle, end] = [secondsOf(total / 2), secondsOf(total)];
  const half = Math.floor(room / 2);
  const text = `${'0 s'.padEnd(half - Math.floor(middle.length / 2))}${middle}`;
  return plain(' '.repeat(labelColumns) + text.padEnd(room - end.length) + end, canvas, 'dim');
}

/** A detail below a bar, over as many lines as it takes; two where it may be folded. */
export function details(canvas: Canvas, text: string, style?: Style, mostLines = Number.POSITIVE_INFINITY): Line[] {
  const lines = wrapped(printable(text).replaceAll(/\s*\n\s*/g, ' ⏎ '), canvas.columns - indent.length);
  const most = canvas.isWhole ? lines.length : mostLines;
  const kept =
    lines.length <= most ? lines : [...lines.slice(0, most - 1), fitted(`${lines[most - 1] ?? ''} …`, canvas.columns - indent.length)];
  return kept.map((line) => plain(indent + line, canvas, style));
}

export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  // An amount stays with its unit.
  for (const word of text.split(/ (?!(?:ms|s|min|h)(?:[ ,;.]|$))/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (widthOf(longer) <= columns) {
      line = longer;
      continue;
    }
    // A word that is longer than a line begins where there is room.
    const room = columns - widthOf(line) - 1;
    const isLong = widthOf(word) > columns && line !== '' && room > 0;
    if (line !== '' && !isLong) lines.push(line);
    line = isLong ? longer : word;
    while (widthOf(line) > columns) {
      const head = cutTo(line, columns);
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

/** At most so wide; what is longer ends with an ellipsis. */
export function fitted(text: string, columns: number): string {
  return widthOf(text) <= columns ? text : `${cutTo(text, columns - 1)}…`;
}

function cutTo(text: string, columns: number): string {
  let [cut, width] = ['', 0];
  for (const char of text) {
    width += columnsOf(char);
    if (width > columns) break;
    cut += char;
  }
  return cut === '' ? text.slice(0, 1) : cut;
}

export function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += columnsOf(char);
  return width;
}

export function secondsOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 120 ? `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s` : `${(ms / 3_600_000).toFixed(1)} h`;
}
