/** The rooms of `src/` import each other as the table in `docs/architecture.md` says, and no further. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { root } from './entries.ts';

const row = /^\| *`([a-z-]+)\/` *\|.*\| *([^|]+?) *\|$/gm;
const everything = 'everything';
const nothing = new Set(['itself', 'nothing of ours']);

/** By room, the rooms that it may import; `everything` is any of them. */
export function readArrows(markdown: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...markdown.matchAll(row)].map(([, room = '', cell = '']) => [
      room,
      nothing.has(cell) ? [] : cell.split(',').map((name) => name.trim()),
    ]),
  );
}

const arrows = readArrows(readFileSync(join(root, 'docs/architecture.md'), 'utf8'));
const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const imported = /(?:^(?:import|export)\b[^'"]*?\bfrom |^import |\bimport\()['"](\.[^'"]+)['"]/gm;

test('every folder of src has its row, and every row names rooms', () => {
  assert.deepEqual(
    folders.filter((folder) => !arrows.has(folder)),
    [],
  );
  for (const [room, allowed] of arrows) {
    const unknown = allowed.filter((name) => name !== everything && !arrows.has(name));
    assert.deepEqual(unknown, [], `the row of ${room}`);
  }
});

test('no import follows an arrow that the table does not have', () => {
  const wrong: string[] = [];
  let count = 0;
  for (const file of globSync('src/*/**/*.{ts,tsx}', { cwd: root })) {
    const [, room = ''] = file.split('/');
    const allowed = arrows.get(room) ?? [];
    for (const [, specifier = ''] of readFileSync(join(root, file), 'utf8').matchAll(imported)) {
      count += 1;
      const target = relative(root, join(root, dirname(file), specifier));
      const [top, targetRoom = '', ...rest] = target.split('/');
      assert.ok(existsSync(join(root, target)), `${file} imports ${specifier}, which is not there`);
      // A file of src itself is an entry point: for others to import, not for the rooms.
      const isAllowed =
        top === 'src' && rest.length > 0 && (targetRoom === room || allowed.includes(targetRoom) || allowed.includes(everything));
      if (!isAllowed) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 500, `only ${count} imports were found: are they written in another way now?`);
});

test('the table is read as it is written', () => {
  const table = [
    '| folder | what lives there | may import |',
    '| --- | --- | --- |',
    '| `domain/`    | pure: `a`, b | itself |',
    '| `http-client/` | calls | nothing of ours |',
    '| `settle/` | ends | domain, store   |',
    '| `cli/` | commands | everything |',
  ].join('\n');
  assert.deepEqual(
    [...readArrows(table)],
    [
      ['domain', []],
      ['http-client', []],
      ['settle', ['domain', 'store']],
      ['cli', ['everything']],
    ],
  );
});
