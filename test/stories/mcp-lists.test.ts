/** What MCP servers offer a turn: what its viewers see of it, and what a request may choose of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { chatAnswer, chatToolCalls, reset, responsesToolCalls } from '../../src/testing/model-server/index.ts';
import { filesystemProgram } from '../support/mcp.ts';
import { errorOf, post } from '../support/post.ts';
import type { SeenEvent, Viewer } from '../support/viewer.ts';
import { story, type World } from '../support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-mcp-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'note.txt'), 'buy milk');

const agents = () =>
  readAgentConfig(
    defineConfig({
      mcpServers: {
        files: { command: process.execPath, args: [filesystemProgram, folder], needsApproval: 'never' },
        gone: { command: 'no-such-program', needsApproval: 'never' },
      },
      agents: {
        clerk: { model: 'scripted', tools: ['mcp:files'] },
        unlucky: { model: 'scripted', tools: ['mcp:gone'] },
      },
    }),
  );

const options = { agents };

interface ToolListItem {
  readonly id: string;
  readonly type: string;
  readonly server_label: string;
  readonly tools: readonly {
    readonly name: string;
    readonly description: string;
    readonly input_schema: object;
    readonly annotations: object | null;
  }[];
  readonly error: string | null;
}

const listsOf = (viewer: Viewer): readonly ToolListItem[] =>
  viewer.last.response.output.filter(({ type }) => type === 'mcp_list_tools') as unknown as ToolListItem[];

const eventsOf = (viewer: Viewer): readonly SeenEvent[] =>
  viewer.events.filter(
    ({ type, item }) => type.includes('mcp_list_tools') || (item as { readonly type?: string } | undefined)?.type === 'mcp_list_tools',
  );

interface Asked {
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly tool_choice?: unknown;
  readonly messages: readonly { readonly role: string }[];
}

const asked = (world: World, request: number): Asked => world.model.requests[request]?.body as Asked;

const read = (id: string) => chatToolCalls({ id, name: 'read_text_file', arguments: { path: join(folder, 'note.txt') } });

story(
  'what an MCP server offers is shown once in a conversation, before the first request, and is never told to the model as an item',
  async (world) => {
    world.model.enqueue(read('c1'), chatAnswer('Milk.'), chatAnswer('Still milk.'));
    const conversation = await world.session();
    const viewer = await world.hear('What do I need?', { model: 'clerk', conversation });
    assert.deepEqual(
      viewer.last.response.output.map(({ type }) => type),
      ['mcp_list_tools', 'mcp_call', 'message'],
    );
    const [list] = listsOf(viewer);
    assert.match(list?.id ?? '', /^mcpl_/);
    assert.deepEqual([list?.server_label, list?.error], ['files', null]);
    const tool = list?.tools.find(({ name }) => name === 'read_text_file');
    assert.ok(tool && tool.description !== '' && 'properties' in tool.input_schema);
    assert.deepEqual(
      eventsOf(viewer).map(({ type, sequence_number, output_index }) => [type, sequence_number, output_index]),
      [
        ['response.output_item.added', 3, 0],
        ['response.mcp_list_tools.in_progress', 4, 0],
        ['response.mcp_list_tools.completed', 5, 0],
        ['response.output_item.done', 6, 0],
      ],
    );
    const next = await world.hear('And now?', { model: 'clerk', conversation });
    assert.deepEqual(listsOf(next), [], 'its conversation has it');
    assert.deepEqual(
      asked(world, 2).messages.map(({ role }) => role),
      ['user', 'assistant', 'tool', 'assistant', 'user'],
    );
  },
  options,
);

story(
  'T13 · a list is taken back as it was given out, and is not shown again to who brings it',
  async (world) => {
    const first = await world.hear('Hello', { model: 'clerk' });
    const input = [{ role: 'user', content: 'Hello' }, ...first.last.response.output, { role: 'user', content: 'Again' }];
    const { body } = await world.call('POST', '/v1/responses', { model: 'clerk', input });
    assert.equal(body['status'], 'completed', JSON.stringify(body));
    assert.deepEqual(
      (body['output'] as { readonly type: string }[]).map(({ type }) => type),
      ['message'],
    );
    assert.deepEqual(
      asked(world, 1).messages.map(({ role }) => role),
      ['user', 'assistant', 'user'],
    );
  },
  options,
);

story(
  'who asks in another protocol, or reads the conversation, meets a list where there are items, and nowhere else',
  async (world) => {
    const messages = [{ role: 'user', content: 'Hello' }];
    const { status, body } = await world.call('POST', '/v1/chat/completions', { model: 'clerk', messages });
    const [choice] = body['choices'] as { readonly message: { readonly content: string; readonly tool_calls?: unknown } }[];
    assert.deepEqual([status, choice?.message.content, choice?.message.tool_calls], [200, 'Hello world', undefined]);
    const conversation = await world.session();
    await world.hear('Hello', { model: 'clerk', conversation });
    const items = await world.call('GET', `/v1/conversations/${conversation}/items?order=asc`);
    assert.deepEqual(
      (items.body['data'] as { readonly type: string }[]).map(({ type }) => type),
      ['message', 'mcp_list_tools', 'message'],
    );
  },
  options,
);

story(
  'a server that is down is a list with an error, and the turn goes on without it',
  async (world) => {
    const viewer = await world.hear('Hello', { model: 'unlucky' });
    assert.equal(viewer.last.response.status, 'completed');
    const [list] = listsOf(viewer);
    assert.deepEqual(list?.tools, []);
    assert.equal(list?.error, 'the server "gone" could not be started: spawn no-such-program ENOENT');
    assert.ok(eventsOf(viewer).some(({ type }) => type === 'response.mcp_list_tools.failed'));
    assert.equal(asked(world, 0).tools, undefined);
  },
  options,
);

story(
  'T2 · a list starts nothing: what fails behind it is asked for again, and the list is shown once',
  async (world) => {
    world.model.enqueue([reset], chatAnswer('Hello'));
    const viewer = await world.hear('Hello', { model: 'clerk' });
    assert.deepEqual([viewer.last.response.status, world.model.requests.length, listsOf(viewer).length], ['completed', 2, 1]);
  },
  options,
);

story(
  'a request narrows a server to some of its tools, has them wait for a person, and demands one of them',
  async (world) => {
    world.model.enqueue(read('c1'));
    const files = {
      type: 'mcp',
      server_label: 'files',
      allowed_tools: ['read_text_file', 'list_directory'],
      require_approval: { always: ['read_text_file'] },
    };
    const viewer = await world.hear('Read it', {
      model: 'any',
      tools: [files],
      tool_choice: { type: 'mcp', server_label: 'files', name: 'read_text_file' },
    });
    assert.deepEqual(
      listsOf(viewer)[0]
        ?.tools.map(({ name }) => name)
        .toSorted(),
      ['list_directory', 'read_text_file'],
    );
    assert.deepEqual(
      asked(world, 0)
        .tools?.map((tool) => tool.function.name)
        .toSorted(),
      ['list_directory', 'read_text_file'],
    );
    assert.deepEqual(asked(world, 0).tool_choice, { type: 'function', function: { name: 'read_text_file' } });
    assert.deepEqual(
      viewer.last.response.output.map(({ type }) => type),
      ['mcp_list_tools', 'mcp_approval_request'],
    );
    assert.deepEqual((viewer.last.response as unknown as { readonly tools: unknown }).tools, [files]);
  },
  options,
);

story(
  'a request for a server by its label demands any of its tools, and what it does not have is refused by name',
  async (world) => {
    const read_only = { type: 'mcp', server_label: 'files', allowed_tools: { read_only: true } };
    await world.hear('Read it', { model: 'any', tools: [read_only], tool_choice: { type: 'mcp', server_label: 'files' } });
    const { tools, tool_choice: choice } = asked(world, 0);
    const names = tools?.map((tool) => tool.function.name) ?? [];
    assert.ok(names.includes('read_text_file') && !names.includes('write_file'), names.join(' '));
    assert.equal(choice, 'required');
    for (const [tool, param] of [
      [{ allowed_tools: 'read_text_file' }, 'tools[0].allowed_tools'],
      [{ require_approval: { sometimes: [] } }, 'tools[0].require_approval.sometimes'],
      [{ require_approval: { always: 7 } }, 'tools[0].require_approval.always'],
      [{ server_url: 'https://elsewhere.example/mcp' }, 'tools[0].server_url'],
    ] as const) {
      const response = await post(world.url, {
        model: 'any',
        input: 'x',
        tools: [{ type: 'mcp', server_label: 'files', ...tool }],
      });
      assert.deepEqual(errorOf(response), [400, param, 'invalid_value']);
    }
    for (const [tool, param] of [
      [{ server_label: 'filez' }, 'tools[0].server_label'],
      [{ server_label: 'x', server_url: 'https://elsewhere.example/mcp' }, 'tools[0].server_url'],
    ] as const) {
      const response = await post(world.url, { model: 'any', input: 'x', tools: [{ type: 'mcp', ...tool }] });
      assert.deepEqual(errorOf(response), [400, param, 'invalid_value']);
    }
    const unknown = await post(world.url, {
      model: 'clerk',
      input: 'x',
      tool_choice: { type: 'mcp', server_label: 'nowhere' },
    });
    assert.deepEqual(errorOf(unknown), [400, 'tool_choice', 'invalid_value']);
  },
  options,
);

story(
  'an approved call needs its server in the request, and allowed there: else a 400 says what to send, and nothing is used up',
  async (world) => {
    world.model.enqueue(read('c1'));
    const files = { type: 'mcp', server_label: 'files', require_approval: 'always' };
    const first = await world.hear('Read it', { model: 'any', tools: [files] });
    const { id = '' } = (first.last.response.output as readonly { readonly id?: string }[]).at(-1) ?? {};
    const input = [{ type: 'mcp_approval_response', approval_request_id: id, approve: true }];
    const answer = (body: object) => post(world.url, { model: 'any', previous_response_id: first.id, input, ...body });
    const refusal = [400, 'input[0].approval_request_id', 'approval_without_tool'];
    const bare = await answer({});
    assert.deepEqual(errorOf(bare), [400, 'input[0]', 'unsupported_parameter']);
    assert.match(bare.text, /no tool that could wait.*Send it with the model and the tools.*server_label/);
    const elsewhere = await answer({ model: 'unlucky' });
    assert.deepEqual(errorOf(elsewhere), refusal);
    assert.match(elsewhere.text, /Send the request with tools: \[\{\\"type\\": \\"mcp\\", \\"server_label\\": \\"files\\"\}\]/);
    const narrowed = await answer({ tools: [{ ...files, allowed_tools: { tool_names: ['list_directory'] } }] });
    assert.deepEqual(errorOf(narrowed), refusal);
    assert.match(narrowed.text, /allowed_tools.*read_text_file/);
    world.model.enqueue(chatAnswer('Read.'));
    const last = await answer({ tools: [{ ...files, allowed_tools: { tool_names: ['read_text_file'], read_only: true } }] });
    assert.deepEqual([last.status, last.json?.['status']], [200, 'completed'], last.text);
    const output = last.json?.['output'] as readonly { readonly type: string; readonly status: string }[] | undefined;
    assert.equal(output?.find(({ type }) => type === 'mcp_call')?.status, 'completed', last.text);
  },
  options,
);

story(
  'require_approval of a request takes no wait away that the configuration has',
  async (world) => {
    world.model.enqueue(read('c1'));
    const viewer = await world.hear('Read it', {
      model: 'any',
      tools: [{ type: 'mcp', server_label: 'files', require_approval: 'never' }],
    });
    assert.deepEqual(
      viewer.last.response.output.map(({ type }) => type),
      ['mcp_list_tools', 'mcp_approval_request'],
    );
  },
  {
    agents: () =>
      readAgentConfig(
        defineConfig({ mcpServers: { files: { command: process.execPath, args: [filesystemProgram, folder] } }, agents: {} }),
      ),
  },
);

story(
  'a provider of the Responses API is not told of a list either',
  async (world) => {
    world.model.enqueue(responsesToolCalls({ id: 'c1', name: 'read_text_file', arguments: { path: join(folder, 'note.txt') } }));
    const viewer = await world.hear('Read it', { model: 'clerk' });
    assert.equal(viewer.last.response.status, 'completed');
    const told = world.model.requests[1]?.body as { readonly input: readonly { readonly type: string }[] } | undefined;
    assert.deepEqual(
      told?.input.map(({ type }) => type),
      ['message', 'function_call', 'function_call_output'],
    );
  },
  { ...options, api: 'responses' },
);
