/** A configuration is a file that Node loads as it is; what is wrong with the file is told with the way out. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../../src/config/config.ts';
import { loadAgentConfig } from '../../src/config/load-agent-config.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'turnkeep-config-')));
after(() => rmSync(root, { recursive: true }));

let count = 0;
/** Each in a folder of its own: Node keeps what it has loaded. */
function folderWith(files: { readonly [name: string]: string }): string {
  count += 1;
  const folder = join(root, String(count));
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

async function mistakesIn(options: Parameters<typeof loadAgentConfig>[0]): Promise<readonly string[]> {
  try {
    await loadAgentConfig(options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const define = (agent: string): string =>
  `import { defineConfig } from 'turnkeep/config';\nexport default defineConfig({ agents: { ${agent}: { model: 'm' } } });\n`;

test('nothing is named and nothing there: no agents', async () => {
  assert.equal(await loadAgentConfig({ cwd: folderWith({}) }), undefined);
});

test('types are stripped, and what a folder without packages lacks is lent', async () => {
  const text = `import { defineConfig, defineTool, type AgentDefinition } from 'turnkeep/config';
import { z } from 'zod';
const clerk: AgentDefinition<'now'> = { model: 'm', tools: ['now'] };
export default defineConfig({
  tools: { now: defineTool({ description: 'Now.', input: z.object({}), run: () => Date.now() }) },
  agents: { clerk },
});
`;
  const cwd = folderWith({ 'turnkeep.config.ts': text });
  const loaded = await loadAgentConfig({ cwd });
  assert.equal(loaded?.path, join(cwd, 'turnkeep.config.ts'));
  assert.deepEqual([...loaded.agents.agents.keys(), ...loaded.agents.tools.keys()], ['clerk', 'now']);
  assert.equal((await loadAgentConfig({ cwd }))?.agents.agents.size, 1, 'also a second time');
});

for (const [names, first] of [
  [['turnkeep.config.js', 'turnkeep.config.mjs', 'turnkeep.config.mts', 'turnkeep.config.ts'], 'ts'],
  [['turnkeep.config.js', 'turnkeep.config.mjs', 'turnkeep.config.mts'], 'mts'],
  [['turnkeep.config.js', 'turnkeep.config.mjs'], 'mjs'],
  [['turnkeep.config.js'], 'js'],
] as const) {
  test(`of ${names.join(', ')}: ${first}`, async () => {
    const cwd = folderWith(Object.fromEntries(names.map((name) => [name, define(name.split('.').at(-1) ?? '')])));
    assert.deepEqual([...((await loadAgentConfig({ cwd }))?.agents.agents.keys() ?? [])], [first]);
  });
}

test('the file that is named is read, wherever it lies; one that is not there is a mistake', async () => {
  const cwd = folderWith({ 'turnkeep.config.ts': define('usual'), 'other.mjs': define('other') });
  assert.ok((await loadAgentConfig({ cwd, path: join(cwd, 'other.mjs') }))?.agents.agents.has('other'));
  const gone = join(cwd, 'gone.ts');
  assert.deepEqual(await mistakesIn({ cwd, path: gone }), [`TURNKEEP_CONFIG (--config) names ${gone}, which is not there`]);
  assert.deepEqual(await mistakesIn({ cwd, path: root }), [`TURNKEEP_CONFIG (--config) names ${root}, which is no file`]);
});

const file = 'turnkeep.config.ts';
for (const [text, mistake] of [
  ['export const config = {};', 'has no default export; end it with `export default defineConfig({ … })`'],
  ['export default {};', "its default export is not made by defineConfig; `import { defineConfig } from 'turnkeep/config'`"],
  ['export default null;', "its default export is not made by defineConfig; `import { defineConfig } from 'turnkeep/config'`"],
  ['\nexport default { a: };', `has a syntax error at ${file}:2: Expression expected`],
  [
    'enum A { b }\nexport default A;',
    `TypeScript enum is not supported in strip-only mode at ${file}:1: Node strips types and compiles nothing; write it without`,
  ],
  ["const a = 1;\nthrow new TypeError('no key');\nexport default a;", `throws TypeError at ${file}:2: no key`],
  ["throw 'x'; export default 1;", 'throws x'],
  [
    "import 'left-pad-of-nobody';\nexport default 1;",
    'imports "left-pad-of-nobody", which is not there; `npm install left-pad-of-nobody` beside it',
  ],
  ["import './tools.ts';\nexport default 1;", 'imports "tools.ts", which is not there'],
  [
    "import { gone } from 'turnkeep/config';\nexport default gone;",
    /^turnkeep\.config\.ts: has a syntax error at turnkeep\.config\.ts:1: .*'gone'/,
  ],
  [
    "import { defineConfig } from 'turnkeep/config';\nexport default defineConfig({ agents: { a: { model: 7 } }, tool: {} } as never);",
    'agents.a.model: must be a text',
    'tool: is not known; did you mean "tools"?',
  ],
] as [string, string | RegExp, string?][]) {
  test(`a file that cannot be used: ${JSON.stringify(text).slice(0, 70)}`, async () => {
    const mistakes = await mistakesIn({ cwd: folderWith({ [file]: text }) });
    if (typeof mistake === 'string') assert.equal(mistakes[0], `${file}: ${mistake}`);
    else assert.match(mistakes[0] ?? '', mistake);
  });
}

test('every mistake in a file is told with its name', async () => {
  const text = `import { defineConfig } from 'turnkeep/config';
export default defineConfig({ agents: { a: { model: 'm', tools: ['x'] } }, mcpServers: { s: {} } } as never);`;
  assert.deepEqual(await mistakesIn({ cwd: folderWith({ [file]: text }) }), [
    `${file}: mcpServers.s: has neither command nor url`,
    `${file}: agents.a.tools[0]: no tool "x" (there are mcp:s, agent:a)`,
  ]);
});
