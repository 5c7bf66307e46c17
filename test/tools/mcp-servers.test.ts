/** The servers of the protocol's own makers, over stdio. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createToolBox, UnknownToolsError } from '../../src/tools/tool-box.ts';
import { everythingProgram, filesystemProgram, misbehavingProgram, nodeServer, toolBox } from '../support/mcp.ts';
import { failure, localTool, output, toolContext } from '../support/tool-calls.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'turnkeep-mcp-')));
const signal = new AbortController().signal;
const box = toolBox([
  nodeServer('everything', [everythingProgram], { CONFIGURED: 'for the server' }),
  { ...nodeServer('files', [filesystemProgram, folder]), needsApproval: ['write_file', 'edit_file'] },
  { ...nodeServer('asks', [misbehavingProgram]), needsApproval: 'always' },
]);
after(async () => {
  await box[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('a server of files writes and reads real ones, and says what it refuses', async () => {
  const path = join(folder, 'note.txt');
  assert.deepEqual(await box.call('files', 'write_file', { path, content: 'äöü\n' }), output(`Successfully wrote to ${path}`));
  assert.equal(readFileSync(path, 'utf8'), 'äöü\n');
  assert.deepEqual(await box.call('files', 'read_text_file', { path }), output('äöü\n'));
  const refused = await box.call('files', 'read_text_file', { path: '/etc/hostname' });
  assert.equal(refused.type, 'error');
  assert.match(refused.type === 'error' ? refused.message : '', /^Access denied/);
});

test('a call that does not fit the schema is refused before it is sent', async () => {
  assert.deepEqual(
    await box.call('everything', 'get-sum', { a: 1, b: '2' }),
    failure("The arguments do not fit the tool's schema: b must be number."),
  );
  assert.deepEqual(await box.call('everything', 'get-sum', { a: 1, b: 2 }), output('The sum of 1 and 2 is 3.'));
});

test('approval is asked for as the configuration says: always, never, or for single tools', async () => {
  const asking = async (label: string): Promise<readonly string[]> =>
    (await box.list(label)).tools.filter((tool) => tool.needsApproval({})).map(({ name }) => name);
  assert.deepEqual(await asking('everything'), []);
  assert.deepEqual(await asking('files'), ['write_file', 'edit_file']);
  assert.equal((await asking('asks')).length, (await box.list('asks')).tools.length);
});

test('a tool that says it may be repeated has three runs, any other has one', async () => {
  const attempts = async (label: string, name: string): Promise<number> => (await box.tool(label, name)).attempts;
  assert.equal(await attempts('files', 'read_text_file'), 3);
  // Idempotent, though it changes what is there.
  assert.equal(await attempts('files', 'write_file'), 3);
  assert.equal(await attempts('files', 'move_file'), 1);
  assert.equal(await attempts('asks', 'pid'), 1);
});

test('progress is handed on', async () => {
  const context = toolContext();
  // Of one that is over soon it might come together with the answer, and then nobody waits for it.
  const running = box.call('everything', 'trigger-long-running-operation', { duration: 600, steps: 10_000 }, context);
  await context.progressed;
  assert.equal(context.told[0], '1 of 10000');
  context.controller.abort(new Error('enough'));
  await assert.rejects(running, /^Error: enough$/);
});

test('what is no text is told in words, what is only structured as JSON', async () => {
  const image = await box.call('everything', 'get-tiny-image');
  assert.match(
    image.type === 'output' ? image.text : '',
    /^Here's the image you requested:\n\[image: image\/png, \d+ bytes, not shown\]\n/,
  );
  const link = await box.call('everything', 'get-resource-links', { count: 1 });
  assert.match(link.type === 'output' ? link.text : '', /\n\[link to a resource: demo:\/\/resource\/\S+, [^\n]+\]$/);
  const resource = await box.call('everything', 'get-resource-reference', { resourceType: 'Text', resourceId: 1 });
  assert.match(
    resource.type === 'output' ? resource.text : '',
    /\n\[resource demo:\/\/resource\/dynamic\/text\/1: text\/plain\]\nResource 1: /,
  );
});

test('T11 · a server gets what its configuration names and a few harmless variables, and nothing else of the worker', async (t) => {
  process.env['TURNKEEP_TEST_SECRET'] = 'sk-of-the-worker';
  t.after(() => {
    delete process.env['TURNKEEP_TEST_SECRET'];
  });
  // Started with the secret there: the one above may run since before.
  await using fresh = toolBox([nodeServer('everything', [everythingProgram], { CONFIGURED: 'for the server' })]);
  const result = await fresh.call('everything', 'get-env');
  const env = JSON.parse(result.type === 'output' ? result.text : '{}') as Record<string, string>;
  assert.equal(env['CONFIGURED'], 'for the server');
  const harmless = new Set(['CONFIGURED', 'HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER']);
  assert.deepEqual(
    Object.keys(env).filter((name) => !harmless.has(name)),
    [],
  );
});

test('a tool that can only be called as a task is not listed, and the log counts what is left out', async () => {
  const { tools } = await box.list('everything');
  assert.ok(!tools.some(({ name }) => name === 'simulate-research-query'));
  assert.ok(
    box.log.some((line) => line === '{"mcpServer":"everything","leftOut":1,"message":"an MCP server lists tools that cannot be used"}'),
  );
});

test('lists come in the order of their names, local tools and agents as one each; a server that is down is an error in its place', async () => {
  const [first, second] = ['first', 'second'].map((name) => localTool(async () => output(''), { name }));
  assert.ok(first && second);
  const helper = localTool(async () => output(''), { name: 'helper', serverLabel: 'agent' });
  await using mixed = createToolBox({
    tools: [first, second],
    agents: new Map([['helper', helper]]),
    mcpServers: [nodeServer('files', [filesystemProgram, folder]), { ...nodeServer('down', []), command: 'no-such-program' }],
    log: { info: () => {}, warn: () => {} },
  });
  const lists = await mixed.listsOf(['mcp:down', 'second', 'agent:helper', 'mcp:files', 'first', 'mcp:down'], signal);
  assert.deepEqual(
    lists.map(({ serverLabel, error }) => ({ serverLabel, error })),
    [
      { serverLabel: 'down', error: 'the server "down" could not be started: spawn no-such-program ENOENT' },
      { serverLabel: 'turnkeep', error: undefined },
      { serverLabel: 'agent', error: undefined },
      { serverLabel: 'files', error: undefined },
    ],
  );
  assert.deepEqual(lists[1]?.tools, [second, first]);
  assert.deepEqual(lists[2]?.tools, [helper]);
  assert.deepEqual(await mixed.listsOf([], signal), []);
});

test('a name that the configuration of this worker does not have is refused, before any server is started', async () => {
  await using mixed = createToolBox({
    tools: new Map([['here', localTool(async () => output(''), { name: 'here' })]]),
    mcpServers: [{ ...nodeServer('down', []), command: 'no-such-program' }],
    log: { info: () => assert.fail(), warn: () => assert.fail() },
  });
  const isTold = (error: unknown): boolean => error instanceof UnknownToolsError && error.names.join() === 'gone,mcp:gone';
  await assert.rejects(mixed.listsOf(['mcp:down', 'gone', 'mcp:gone', 'here'], signal), isTold);
  assert.throws(() => createToolBox({ tools: [], mcpServers: [nodeServer('turnkeep', [])], log: { info: () => {}, warn: () => {} } }));
});
