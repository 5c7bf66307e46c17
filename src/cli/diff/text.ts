/** Two turns, compared, as text for a terminal. Pure. */
import { type Compared, isDifferent } from '../../history/diff-turns.ts';
import { printable } from '../chat/screen.ts';

export interface DiffLook {
  /** Of the terminal. */
  readonly columns: number;
  /** Also what is the same. */
  readonly isWhole: boolean;
  /** What the two are called. */
  readonly names: readonly [string, string];
}

/** Of a long text, what is shown before its first difference, in characters. */
const before = 40;
const shownChars = 400;
const none = '(nothing)';

export function diffText(places: readonly Compared[], look: DiffLook): string {
  const first = places.find(isDifferent);
  if (first === undefined) return `The same in all ${places.length} places.\n`;
  const { names, columns, isWhole } = look;
  const from = differenceOf(first);
  const lines = [`First difference: ${first.at}`, ...(from === 0 ? [] : [`  from character ${from + 1} on`]), ''];
  for (const [index, text] of [first.left, first.right].entries()) {
    lines.push(`  ${names[index] ?? ''}`, ...wrapped(excerpt(text, from), columns - 4).map((line) => `    ${line}`), '');
  }
  lines.push(...sideBySide(places, look, isWhole));
  return `${lines.join('\n')}\n`;
}

/** The first character that is not the same. */
function differenceOf({ left = '', right = '' }: Compared): number {
  let place = 0;
  while (place < left.length && left[place] === right[place]) place += 1;
  return place;
}

function excerpt(text: string | undefined, from: number): string {
  if (text === undefined) return none;
  const start = from <= before ? 0 : from - before;
  const end = Math.min(text.length, start + shownChars);
  return `${start > 0 ? '…' : ''}${text.slice(start, end)}${end < text.length ? '…' : ''}`;
}

function sideBySide(places: readonly Compared[], { columns, names }: DiffLook, isWhole: boolean): readonly string[] {
  const width = Math.max(16, Math.floor((columns - 3) / 2));
  const row = (left: string, right: string, mark: string): string => `${padded(left, width)} ${mark} ${right}`.trimEnd();
  const lines = [row(fitted(names[0], width), fitted(names[1], width), ' '), '─'.repeat(Math.min(columns, 2 * width + 3))];
  let same = 0;
  const closeSame = (): void => {
    if (same > 0) lines.push(`  = ${same} ${same === 1 ? 'place' : 'places'} the same`);
    same = 0;
  };
  for (const place of places) {
    if (!isDifferent(place) && !isWhole) {
      same += 1;
      continue;
    }
    closeSame();
    const from = isDifferent(place) ? differenceOf(place) : 0;
    lines.push(`${isDifferent(place) ? '≠' : '='} ${place.at}`);
    const [left, right] = [place.left, place.right].map((text) => wrapped(excerpt(text, from), width).slice(0, 6));
    for (let line = 0; line < Math.max(left?.length ?? 0, right?.length ?? 0); line += 1) {
      lines.push(row(left?.[line] ?? '', right?.[line] ?? '', '│'));
    }
  }
  closeSame();
  return lines;
}

/** In lines of so many characters at most. */
function wrapped(text: string, width: number): readonly string[] {
  return printable(text)
    .split('\n')
    .flatMap((line) => {
      const chars = Array.from(line);
      const parts = Math.max(1, Math.ceil(chars.length / width));
      return Array.from({ length: parts }, (_, part) => chars.slice(part * width, (part + 1) * width).join(''));
    });
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - Array.from(text).length));
}

function fitted(text: string, width: number): string {
  const chars = Array.from(text);
  return chars.length <= width ? text : `${chars.slice(0, width - 1).join('')}…`;
}
