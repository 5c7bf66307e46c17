/** `docs/compatibility.md` says neither more nor less than what is tested. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Shape {
  readonly name: string;
  readonly becomes: { readonly status: string; readonly [what: string]: unknown };
}

const text = read('docs/compatibility.md');

/** The cells of the rows of the table that begins with this word. */
function rowsOf(head: string): string[][] {
  const lines = text.slice(text.indexOf(`| ${head}`)).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test('every program that is a client in a test is in the table of clients, and every cell leads to its test', () => {
  const rows = rowsOf('client');
  for (const [name = '', ...cells] of rows) {
    assert.ok(
      cells.some((cell) => cell !== ''),
      name,
    );
    for (const cell of cells) assert.match(cell, /^$|^(\[[^\]]+\]\(\.\.\/test\/[^)]+\.test\.ts\)(, )?)+$/, name);
  }
  const linked = new Set(Array.from(text.matchAll(/\(\.\.\/(test\/[^)]+\.test\.ts)\)/g), ([, path]) => path));
  const files = [...globSync('test/clients/*.test.ts', { cwd: root }), ...globSync('test/conformance/*.test.ts', { cwd: root })];
  assert.deepEqual(
    files.filter((file) => !linked.has(file)),
    [],
  );
});

test('the versions in the table of clients are those that the tests run', () => {
  const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
  const { dependencies } = JSON.parse(read('test/clients/pinned/package.json')) as { dependencies: Record<string, string> };
  const python = ['aider', 'llm'].flatMap((name) => [...read(`test/clients/pinned/${name}.txt`).matchAll(/^(aider-chat|llm)==(\S+)/gm)]);
  const inTests = [...read('test/support/programs.ts').matchAll(/name: '(openai)', version: '([^']+)'/g)];
  const versions: Record<string, string | undefined> = {
    ...devDependencies,
    ...dependencies,
    ...Object.fromEntries([...python, ...inTests].map(([, name, version]) => [`${name} (PyPI)`, version])),
  };
  for (const [client = ''] of rowsOf('client')) {
    for (const [, name = '', version] of client.matchAll(/`([^`]+) (\d[^` ]*)( \(PyPI\))?`/g)) {
      assert.equal(version, client.includes(`${version} (PyPI)`) ? versions[`${name} (PyPI)`] : versions[name], client);
    }
  }
});

test('the table of providers has each server of the recorded shapes, with what they show', () => {
  const shown = new Map<string, Set<string>>();
  for (const file of globSync('test/data/dialects/*.json', { cwd: root }).toSorted()) {
    const { server, shapes } = JSON.parse(read(file)) as { server: string; shapes: Shape[] };
    const api = file.includes('/responses-') ? 'Responses' : 'Chat Completions';
    for (const { name, becomes } of shapes) {
      // A file of several servers names them in its shapes.
      const [, named = server] = /^([A-Z][\w. ]*): /.exec(name) ?? [];
      const row = [named, api, `../${file}`].join('|');
      const kinds = [...kindsOf].flatMap(([kind, has]) => (has(becomes) ? [kind] : []));
      shown.set(row, new Set([...(shown.get(row) ?? []), ...kinds]));
    }
  }
  const expected = [...shown]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([row, kinds]) => {
      const [server = '', api = '', file = ''] = row.split('|');
      return [server, api, ...[...kindsOf.keys()].map((kind) => (kinds.has(kind) ? `[yes](${file})` : ''))];
    });
  const table = expected.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  assert.ok(isDeepStrictEqual(rowsOf('server'), expected), `the rows have to be:\n${table}`);
});

/** The columns. */
const kindsOf = new Map<string, (becomes: Shape['becomes']) => boolean>([
  ['text', ({ text }) => typeof text === 'string' && text !== ''],
  ['reasoning', ({ reasoning }) => reasoning !== undefined],
  ['tool calls', ({ calls }) => calls !== undefined],
  ['tokens', ({ usage }) => usage !== undefined],
  ['errors and early ends', ({ status }) => status !== 'completed'],
]);
