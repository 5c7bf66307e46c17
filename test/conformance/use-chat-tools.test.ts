/** The AI SDK's own chat with an agent whose tools a worker runs: what `useChat` shows of calls, and how it approves them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage, validateUIMessages } from 'ai';
import { chat, chatAnswer, chatToolCalls, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { clerk } from '../support/clerk.ts';
import { UiChat } from '../support/ui-chat.ts';
import { until } from '../support/until.ts';

const options = { timeout: 120_000 };
const call = (name: string, at: string) => ({ id: `call_${at}`, name, arguments: { at } });
const body = { model: 'clerk' };

/** What the parts are about. */
function outline(message: UIMessage | undefined): unknown[] {
  return (message?.parts ?? []).map((part) => {
    if (part.type === 'text') return part.text;
    if (part.type !== 'dynamic-tool') return part.type;
    const { toolName, state, input, output, errorText, approval, providerExecuted } = part;
    assert.equal(providerExecuted, true);
    const given = Object.entries({ output, errorText, approval }).filter(([, value]) => value !== undefined);
    // Without members that are undefined.
    return JSON.parse(JSON.stringify([toolName, state, input, Object.fromEntries(given)])) as unknown;
  });
}

/** The messages that a page is given that is loaded anew. */
async function reloaded(url: string, id: string): Promise<UIMessage[]> {
  const response = await fetch(`${url}/api/chat/${id}`);
  const { messages } = (await response.json()) as { messages: UIMessage[] };
  return validateUIMessages({ messages });
}

/** As the UI has them, and as a page has them that is loaded anew. */
async function assertShown(url: string, ui: UiChat, expected: readonly unknown[]): Promise<void> {
  assert.deepEqual(outline(ui.lastMessage), expected);
  assert.deepEqual(outline((await reloaded(url, ui.id)).at(-1)), expected);
}

test('useChat: calls of workers are tools that the provider executes, in the steps that they were made in', options, async () => {
  const { url, model } = clerk();
  model.enqueue(chatToolCalls(call('look', 'home'), call('look', 'nowhere')), chatToolCalls(call('look', 'bed')), chatAnswer('There.'));
  const ui = new UiChat(url, 'chat-calls', {
    body,
    onToolCall: () => assert.fail('a call of a worker is not for the client to run'),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  await ui.sendMessage({ text: 'where?' });
  assert.equal(ui.error, undefined);
  await assertShown(url, ui, [
    'step-start',
    ['look', 'output-available', { at: 'home' }, { output: 'was at home' }],
    ['look', 'output-error', { at: 'nowhere' }, { errorText: 'There is no such place.' }],
    'step-start',
    ['look', 'output-available', { at: 'bed' }, { output: 'was at bed' }],
    'step-start',
    'There.',
  ]);
  assert.equal(model.requests.length, 3);
});

test('useChat: some calls are approved and others refused, in one request, and the message goes on', options, async () => {
  const { url, model, outputs } = clerk();
  model.enqueue(chatToolCalls(call('look', 'a'), call('drop', 'b'), call('keep', 'c')), chatAnswer('Done.'), chatAnswer('Yes.'));
  const ui = new UiChat(url, 'chat-approvals', { body, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses });
  await ui.sendMessage({ text: 'tidy up' });
  const asked = ui.lastMessage!.parts.flatMap((part) =>
    part.type === 'dynamic-tool' && part.state === 'approval-requested' ? [part.approval.id] : [],
  );
  const [drop = '', keep = ''] = asked;
  await assertShown(url, ui, [
    'step-start',
    ['drop', 'approval-requested', { at: 'b' }, { approval: { id: drop } }],
    ['keep', 'approval-requested', { at: 'c' }, { approval: { id: keep } }],
    ['look', 'output-available', { at: 'a' }, { output: 'was at a' }],
  ]);

  await ui.addToolApprovalResponse({ id: drop, approved: true });
  await ui.addToolApprovalResponse({ id: keep, approved: false, reason: 'it is of use' });
  await until(() => ui.text === 'Done.' && ui.status === 'ready');
  const shown = [
    'step-start',
    ['drop', 'output-available', { at: 'b' }, { output: 'was at b', approval: { id: drop, approved: true } }],
    ['keep', 'output-denied', { at: 'c' }, { approval: { id: keep, approved: false, reason: 'it is of use' } }],
    ['look', 'output-available', { at: 'a' }, { output: 'was at a' }],
    'step-start',
    'Done.',
  ];
  await assertShown(url, ui, shown);
  assert.deepEqual(outputs(2).toSorted(), [
    'The user refused this call. It was not made. The reason given: it is of use',
    'was at a',
    'was at b',
  ]);

  // What was answered is not answered again.
  await ui.sendMessage({ text: 'sure?' });
  assert.deepEqual([ui.text, ui.error], ['Yes.', undefined]);
  assert.deepEqual(outline((await reloaded(url, ui.id))[1]), shown);
});

test('useChat: an approval given by a page that was loaded anew, beside a new question', options, async () => {
  const { url, model } = clerk();
  model.enqueue(chatToolCalls(call('drop', 'a')), chatAnswer('Dropped.'));
  const first = new UiChat(url, 'chat-later', { body });
  await first.sendMessage({ text: 'drop it' });

  const ui = new UiChat(url, 'chat-later', { body, messages: await reloaded(url, 'chat-later') });
  const part = ui.lastMessage?.parts.find((each) => each.type === 'dynamic-tool');
  const id = part?.state === 'approval-requested' ? part.approval.id : '';
  await ui.addToolApprovalResponse({ id, approved: true });
  await ui.sendMessage({ text: 'and hurry' });
  assert.equal(ui.error, undefined);
  await assertShown(url, ui, ['step-start', ['drop', 'output-available', { at: 'a' }, { output: 'was at a' }], 'step-start', 'Dropped.']);
  const asked = (await reloaded(url, ui.id))[1];
  assert.deepEqual(outline(asked), ['step-start', ['drop', 'approval-responded', { at: 'a' }, { approval: { id, approved: true } }]]);
});

test('T7 · useChat: whoever resumes behind an approval sees the message from its beginning', options, async () => {
  const { url, model } = clerk();
  const held = [sseHead, chat.content('Drop'), hold('go'), chat.content('ped.'), chat.finish(), done, end];
  model.enqueue(chatToolCalls(call('drop', 'a'), call('keep', 'b')), held);
  const first = new UiChat(url, 'chat-resume', { body, sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses });
  await first.sendMessage({ text: 'drop it' });
  const ids = new Map<string, string>();
  for (const part of first.lastMessage?.parts ?? []) {
    if (part.type !== 'dynamic-tool' || part.state !== 'approval-requested') continue;
    ids.set(part.toolName, part.approval.id);
    await first.addToolApprovalResponse({ id: part.approval.id, approved: part.toolName === 'drop' });
  }
  await first.untilText('Drop');

  const back = new UiChat(url, 'chat-resume', { body, messages: await reloaded(url, 'chat-resume') });
  const resumed = back.resumeStream();
  await back.untilText('Drop');
  model.release('go');
  await resumed;
  assert.deepEqual([back.error, back.messages.length], [undefined, 2]);
  // In this protocol's first versions a stream cannot say who has approved what: only the messages that are read can.
  assert.deepEqual(outline(back.lastMessage), [
    'step-start',
    ['drop', 'output-available', { at: 'a' }, { output: 'was at a', approval: { id: ids.get('drop') } }],
    ['keep', 'output-denied', { at: 'b' }, { approval: { id: ids.get('keep') } }],
    'step-start',
    'Dropped.',
  ]);
  assert.equal(model.requests.length, 2);
});

test('useChat: an approval whose turn was stopped before its call began is asked for again, and answered once more', options, async () => {
  const { url, model, outputs } = clerk();
  model.enqueue(chatToolCalls(call('drop', 'a')), chatAnswer('Dropped.'));
  const first = new UiChat(url, 'chat-stopped', { body });
  await first.sendMessage({ text: 'drop it' });
  const page = async (more: object = {}): Promise<{ readonly ui: UiChat; readonly id: string }> => {
    const sendAutomaticallyWhen = lastAssistantMessageIsCompleteWithApprovalResponses;
    const ui = new UiChat(url, 'chat-stopped', { body, messages: await reloaded(url, 'chat-stopped'), sendAutomaticallyWhen, ...more });
    const part = ui.lastMessage?.parts.find((each) => each.type === 'dynamic-tool');
    return { ui, id: part?.state === 'approval-requested' ? part.approval.id : '' };
  };

  // Its cancel comes before it.
  await fetch(`${url}/v1/responses/resp_stopped/cancel`, { method: 'POST' });
  const stopped = await page({ headers: { 'x-turnkeep-response-id': 'resp_stopped' } });
  await stopped.ui.addToolApprovalResponse({ id: stopped.id, approved: true });
  await until(async () => {
    const turn = (await (await fetch(`${url}/turns/resp_stopped`)).json()) as { readonly status?: string };
    return turn.status === 'cancelled' && stopped.ui.status === 'ready';
  });
  const back = await page();
  assert.deepEqual(outline(back.ui.lastMessage), [
    'step-start',
    ['drop', 'approval-requested', { at: 'a' }, { approval: { id: back.id } }],
  ]);
  assert.equal(model.requests.length, 1);

  await back.ui.addToolApprovalResponse({ id: back.id, approved: true });
  await until(() => back.ui.text !== '' && back.ui.status === 'ready');
  await assertShown(url, back.ui, [
    'step-start',
    ['drop', 'output-available', { at: 'a' }, { output: 'was at a', approval: { id: back.id, approved: true } }],
    'step-start',
    'Dropped.',
  ]);
  assert.equal(outputs(2).at(-1), 'was at a');
});

test('useChat: an answer that its turn was stopped with is not given again by what is said next', options, async () => {
  const { url, model, outputs } = clerk();
  model.enqueue(chatToolCalls(call('drop', 'a')), chatAnswer('As you like.'));
  const ui = new UiChat(url, 'chat-left', { body, headers: { 'x-turnkeep-response-id': 'resp_asks' } });
  await ui.sendMessage({ text: 'drop it' });
  const part = ui.lastMessage?.parts.find((each) => each.type === 'dynamic-tool');
  const id = part?.state === 'approval-requested' ? part.approval.id : '';
  await fetch(`${url}/v1/responses/resp_left/cancel`, { method: 'POST' });
  const stopped = new UiChat(url, 'chat-left', { body, messages: ui.messages, headers: { 'x-turnkeep-response-id': 'resp_left' } });
  await stopped.addToolApprovalResponse({ id, approved: true });
  await stopped.sendMessage();
  const next = new UiChat(url, 'chat-left', { body, messages: stopped.messages });
  await next.sendMessage({ text: 'leave it' });
  assert.deepEqual([next.text, next.error], ['As you like.', undefined]);
  assert.deepEqual(outputs(2), ['[This call was approved, and stopped before it was made.]']);
});
