/** Which calls a request agrees to, and what is read to know that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readApprovals } from '../../src/client/approvals.ts';
import type { Agent } from '../../src/domain/agents/agent.ts';
import type { ApprovalRequestItem, InputItem } from '../../src/domain/item.ts';
import { itemId } from '../../src/domain/response/new-items.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { turnRow } from '../support/turn-row.ts';

const settings = defaultSettings('helper');
const agent: Agent = {
  name: 'helper',
  provider: 'default',
  model: 'scripted',
  tools: ['mail', 'mcp:files'],
  settings: {},
  limits: {},
  compaction: 'auto',
};

function request(turn: string, name: string, serverLabel = 'turnkeep'): ApprovalRequestItem {
  const turnkeep = { call_id: 'c1', step: 1 };
  return { id: itemId('mcpr', turn, 0), type: 'mcp_approval_request', server_label: serverLabel, name, arguments: '{}', turnkeep };
}

function answer({ id }: ApprovalRequestItem, approve = true): InputItem {
  return { id: 'item_a', type: 'mcp_approval_response', approval_request_id: id, approve } as unknown as InputItem;
}

/** A chain of turns, the newest first: the requests that their answers have. `read` is told which responses were read. */
function chain(turns: Readonly<Record<string, ApprovalRequestItem>>) {
  const read: string[] = [];
  const rows = Object.keys(turns).map((id) => turnRow({ id }));
  const store: Parameters<typeof readApprovals>[0] = {
    readSession: async () => undefined,
    findTurn: async () => rows[0],
    readChain: async () => rows,
    readResponse: async (id) => {
      read.push(id);
      const output = turns[id] === undefined ? [] : [turns[id]];
      return { ...newResponse({ id, createdAtMs: 0, settings, session: null, previous: null }), output };
    },
  };
  return { store, read };
}

function submission(by: Agent | undefined) {
  return {
    tenant: 'default',
    settings: by === undefined ? settings : { ...settings, agent: by },
    input: [],
    session: null,
    previous: 'resp_c',
    idempotencyKey: null,
    isResend: false,
    receivedAtMs: 0,
  };
}

test('T14 · of a long talk only the responses are read whose requests are answered', async () => {
  const asked = request('resp_b', 'mail');
  const { store, read } = chain({ resp_c: request('resp_c', 'mail'), resp_b: asked, resp_a: request('resp_a', 'mail') });
  const approvals = await readApprovals(store, submission(agent), [answer(asked)]);
  assert.ok(!('type' in approvals));
  assert.deepEqual(approvals.answered, [{ id: asked.id, askedBy: 'resp_b' }]);
  assert.deepEqual(read, ['resp_b']);
  const elsewhere = request('resp_z', 'mail');
  assert.deepEqual(await readApprovals(store, submission(agent), [answer(elsewhere)]), {
    type: 'unknown_approval',
    index: 0,
    id: elsewhere.id,
  });
  assert.deepEqual(read, ['resp_b']);
});

test('a call is agreed to where the agent that is asked has its tool; anybody may refuse it', async () => {
  const mail = request('resp_c', 'mail');
  const read = request('resp_c', 'read', 'files');
  for (const [asked, tools, tool] of [
    [mail, undefined, 'mail'],
    [mail, ['echo', 'mcp:files'], 'mail'],
    [read, ['read', 'mcp:other'], 'mcp:files'],
    [request('resp_c', 'writer', 'agent'), ['writer'], 'agent:writer'],
  ] as const) {
    const { store } = chain({ resp_c: asked });
    const by = submission(tools === undefined ? undefined : { ...agent, tools });
    const refused = await readApprovals(store, by, [answer(asked)]);
    assert.deepEqual(refused, { type: 'approval_without_tool', index: 0, id: asked.id, tool });
    const answered = [{ id: asked.id, askedBy: 'resp_c' }];
    assert.deepEqual(await readApprovals(store, by, [answer(asked, false)]), { answered, calls: [] });
  }
  for (const asked of [mail, read]) {
    const approvals = await readApprovals(chain({ resp_c: asked }).store, submission(agent), [answer(asked)]);
    assert.ok('calls' in approvals);
    assert.deepEqual(
      approvals.calls.map(({ name }) => name),
      [asked.name],
    );
  }
});
