/** `turnkeep show`: a turn as text, drawn to scale; then at a real gateway, and from a file. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { eventLine } from '../../src/cli/show/event-line.ts';
import { timelineText } from '../../src/cli/show/text.ts';
import { timelineSchema, type ShownTimeline } from '../../src/cli/show/timeline.ts';
import { type FailureCode, failureRules } from '../../src/domain/failure.ts';
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import { timelineEvents, turnMoments } from '../../src/domain/turn/timeline-events.ts';
import { type TimelineFacts, timelineOf } from '../../src/domain/turn/timeline.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import { Redactor } from '../../src/history/redact.ts';
import { chat, hold, reset, sseHead } from '../../src/testing/model-server/index.ts';
import { turnRow } from '../support/turn-row.ts';
import { World } from '../support/world.ts';

const began = Date.UTC(2026, 10, 26, 12);
const at = (ms: number): number => began + ms;
const usage = (input: number, output: number) => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: input + output,
});

function turn(fields: Partial<TurnRow> = {}): TurnRow {
  const row = turnRow({ id: 'resp_a', createdAtMs: began, readyAtMs: at(0), settledAtMs: at(8_000), status: 'completed' });
  return { ...row, workflowId: 'turn/resp_a', runId: 'run_1', ...fields };
}

function attempt(step: number, number: number, fields: Partial<AttemptRow>): AttemptRow {
  return { turn: 'resp_a', step, attempt: number, requestedAtMs: at(0), holder: '17-one', epoch: number, ...fields };
}

/** Two requests that break in different ways, one that answers with a call, and one whose worker dies before the next one answers. */
const eventful: TimelineFacts = {
  turn: turn({ cancelRequestedAtMs: at(7_500), status: 'cancelled', usage: usage(1_200, 40) }),
  attempts: [
    attempt(1, 1, {
      requestedAtMs: at(10),
      endedAtMs: at(300),
      outcome: 'failed',
      code: 'transport_failed',
      detail: 'ECONNRESET',
      waitMs: 1_000,
      lastSeq: 2,
      facts: {
        sentAtMs: at(100),
        retry: 'retry_delay',
        causes: [
          { name: 'TypeError', message: '' },
          { name: 'Error', code: 'ECONNRESET', message: 'read ECONNRESET' },
        ],
      },
    }),
    attempt(1, 2, {
      requestedAtMs: at(1_310),
      endedAtMs: at(1_500),
      outcome: 'failed',
      code: 'provider_busy',
      detail: '429',
      message: 'Rate limit reached for the model: please try again in 2 s.',
      waitMs: 2_000,
      lastSeq: 2,
      providerRequestId: 'req_7',
      facts: {
        sentAtMs: at(1_320),
        headersAtMs: at(1_490),
        retry: 'retry_after',
        causes: [{ name: 'HttpStatusError', message: 'status 429' }],
      },
    }),
    attempt(1, 3, {
      requestedAtMs: at(3_510),
      firstEventAtMs: at(4_000),
      endedAtMs: at(4_800),
      outcome: 'completed',
      usage: usage(600, 20),
      providerRequestId: 'req_8',
      lastSeq: 9,
      facts: { sentAtMs: at(3_520), headersAtMs: at(3_700), finishedAtMs: at(4_790) },
    }),
    attempt(2, 1, { requestedAtMs: at(6_200), endedAtMs: at(6_900), outcome: 'lost', epoch: 4, lastSeq: 14 }),
    attempt(2, 2, {
      requestedAtMs: at(6_900),
      firstEventAtMs: at(7_000),
      endedAtMs: at(7_990),
      outcome: 'cancelled',
      holder: '18-two',
      epoch: 5,
      usage: usage(600, 20),
      lastSeq: 30,
      facts: { sentAtMs: at(6_910), headersAtMs: at(6_990) },
    }),
  ],
  toolCalls: [
    {
      turn: 'resp_a',
      number: 0,
      step: 2,
      position: 0,
      serverLabel: 'turnkeep',
      name: 'mail',
      arguments:
        '{"to":"ann@example.com","subject":"The figures of the third quarter, as discussed in the meeting on Monday","body":"They are attached."}',
      origin: { call_id: 'call_1', step: 1 },
      approvalRequestId: 'mcpr_1',
      runs: 2,
      startedAtMs: at(5_500),
      endedAtMs: at(6_150),
      outcome: 'completed',
      attempts: [
        { startedAtMs: at(4_900), endedAtMs: at(5_500), outcome: 'lost', holder: '16-gone' },
        { startedAtMs: at(5_500), endedAtMs: at(6_150), outcome: 'completed', holder: '17-one' },
      ],
    },
  ],
  results: new Map([[0, { text: 'sent to ann@example.com', totalBytes: 4_200 }]]),
  approvals: [{ id: 'mcpr_1', askedBy: 'resp_0', askedAtMs: at(-60_000), answer: { by: 'resp_a', atMs: at(0), isApproved: true } }],
  response: { error: null, output: [], incomplete_details: { reason: 'cancelled' } },
  journal: { epoch: 5, last: 33 },
  viewers: [
    {
      turn: 'resp_a',
      id: 'a',
      protocol: 'sse',
      openedAtMs: at(5),
      fromSeq: 0,
      lastSeq: 33,
      lastAtMs: at(7_995),
      closedAtMs: at(8_000),
      end: 'saw_end',
    },
    {
      turn: 'resp_a',
      id: 'b',
      protocol: 'websocket',
      openedAtMs: at(4_100),
      fromSeq: 3,
      lastSeq: 12,
      lastAtMs: at(6_000),
      closedAtMs: at(7_000),
      end: 'reset',
    },
  ],
};

function shown(facts: TimelineFacts, more: object = {}): ShownTimeline {
  return timelineSchema.parse(JSON.parse(JSON.stringify({ ...timelineOf(facts), events: timelineEvents(facts), ...more })));
}

const temporal = {
  complete: true,
  events: [
    { id: 1, type: 'workflow execution started', at: new Date(at(50)).toISOString() },
    { id: 5, type: 'activity task scheduled', at: new Date(at(60)).toISOString(), activity: 'streamModel' },
    { id: 6, type: 'activity task failed', at: new Date(at(1_505)).toISOString(), activity: 'streamModel', failure: 'provider_busy' },
    { id: 7, type: 'timer started', at: new Date(at(1_510)).toISOString() },
    { id: 8, type: 'timer fired', at: new Date(at(3_505)).toISOString() },
    { id: 20, type: 'workflow execution completed', at: new Date(at(8_100)).toISOString() },
  ],
};

const drawing = { hasColours: false, isWhole: false, nowMs: at(9_000) };

for (const columns of [80, 140]) {
  test(`the whole text of a turn with every kind of trouble, ${columns} columns wide`, () => {
    const asked = { input: [{ type: 'message', role: 'user', text: 'Mail Ann the figures.\nThank you!' }], input_items: 1, temporal };
    const lines = timelineText(shown(eventful, asked), { ...drawing, columns });
    const expected = join(import.meta.dirname, `show-${columns}.txt`);
    if (process.env['TURNKEEP_UPDATE_SNAPSHOTS'] !== undefined) writeFileSync(expected, `${lines.join('\n')}\n`);
    assert.equal(`${lines.join('\n')}\n`, readFileSync(expected, 'utf8'));
    for (const line of lines) assert.ok(line.length <= columns, line);
    const coloured = timelineText(shown(eventful, asked), { ...drawing, columns, hasColours: true });
    assert.notDeepEqual(coloured, lines);
    assert.deepEqual(
      coloured.map((line) => stripVTControlCharacters(line).trimEnd()),
      lines,
    );
  });
}

test('each end of a turn is explained, in other words than its message', () => {
  const codes = Object.keys(failureRules) as FailureCode[];
  for (const errorCode of codes) {
    const { message } = failureRules[errorCode];
    const timeline = shown({ turn: turn({ status: 'failed', errorCode }), attempts: [], toolCalls: [] });
    const [first, said, ...rest] = timelineText(timeline, { ...drawing, columns: 200 });
    assert.deepEqual([first, said], [`✗ failed: ${errorCode}`, `    ${message}`]);
    assert.match(rest[0] ?? '', /^ {4}\S.*\.$/, errorCode);
    assert.notEqual(rest[0], said);
  }
  for (const [status, reason] of [
    ['completed'],
    ['queued'],
    ['in_progress'],
    ['cancelled', 'cancelled'],
    ['incomplete', 'max_output_tokens'],
    ['incomplete', 'content_filter'],
    ['incomplete', 'steered'],
  ] as const) {
    const response = { error: null, output: [], incomplete_details: reason === undefined ? null : { reason } };
    const lines = timelineText(shown({ turn: turn({ status }), attempts: [], toolCalls: [], response }), { ...drawing, columns: 200 });
    assert.ok(lines[0]?.includes(status === 'incomplete' ? `incomplete: ${reason}` : status), lines[0]);
    assert.match(lines[1] ?? '', /^ {4}\S.*\.$/);
  }
});

test('a turn without its content is told as well as with it, but for the words', async () => {
  const redacted = timelineSchema.parse(await new Redactor().value(JSON.parse(JSON.stringify(shown(eventful)))));
  const lines = timelineText(redacted, { ...drawing, columns: 200 });
  for (const part of [
    'failed: transport_failed (ECONNRESET); it was sent, and nothing came back',
    'asked again after 2.00 s: the provider asked for that (Retry-After); 1 request was left',
    'viewer 2 (WebSocket) had seen events 3-12',
    'had seen events 0-33, saw the end',
  ])
    assert.ok(lines.includes(`    ${part}`), `${part}\n${lines.join('\n')}`);
  for (const word of ['quarter', 'example.com', 'Rate limit', 'ECONNRESET: read']) assert.ok(!lines.join('\n').includes(word), word);
});

test('every kind of event has a line of its own', () => {
  for (const type of turnMoments) {
    const line = eventLine(
      { type, at: new Date(at(1_500)).toISOString(), step: 1, attempt: 2, viewer: 1, id: 'x', name: 'tool', status: 'failed' },
      began,
    );
    assert.match(line, /^ {2}\+1\.50 s {2}\S/);
    assert.ok(!line.includes('_'), line);
  }
});

test('many steps are folded but for those that tell something; words of a model steer no terminal', () => {
  const attempts = Array.from({ length: 100 }, (_, index) =>
    attempt(index + 1, 1, {
      requestedAtMs: at(index * 10),
      endedAtMs: at(index * 10 + 9),
      outcome: index === 49 ? 'incomplete' : 'completed',
    }),
  );
  const timeline = shown({ turn: turn(), attempts, toolCalls: [] }, { input: [{ type: 'message', text: '\u001b[2Jhi' }] });
  const text = (isWhole: boolean) => timelineText(timeline, { ...drawing, columns: 100, isWhole });
  const steps = (lines: string[]) => lines.filter((line) => line.startsWith('step ')).map((line) => Number.parseInt(line.slice(5), 10));
  assert.deepEqual(steps(text(false)), [1, 2, 3, 4, 5, 50, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
  assert.deepEqual(
    text(false).filter((line) => line.startsWith('…')),
    ['… 44 steps without a failure: --all shows them', '… 40 steps without a failure: --all shows them'],
  );
  assert.equal(steps(text(true)).length, 100);
  assert.ok(!text(true).join('').includes('\u001b'));
});

test('what is gone is said: events and words past retention, and what Temporal has dropped', () => {
  const timeline = shown(
    { turn: turn({ erasedBy: 'retention' }), attempts: [], toolCalls: [] },
    { temporal: { missing: 'Temporal has no history of it: its retention is over' } },
  );
  const lines = timelineText(timeline, { ...drawing, columns: 120 });
  assert.ok(lines.includes('  The events of this turn are past retention: this is from the database alone.'));
  assert.ok(lines.includes('  What it said is deleted, or past retention.'));
  assert.ok(lines.some((line) => line.startsWith('  Temporal: Temporal has no history of it: its retention is over.')));
});

const root = join(import.meta.dirname, '../..');

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function show(...args: readonly string[]): Promise<Ran> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    const env = { PATH, HOME, COLUMNS: '100' };
    execFile(process.execPath, ['src/cli/main.ts', 'show', ...args], { cwd: root, env, maxBuffer: 10_000_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('at a gateway: a turn by its id, the newest one without, while it runs, from its file; and what is not there', async () => {
  await using world = await World.open();
  const url = ['--url', `${world.url}/v1`];
  const none = await show(...url);
  assert.deepEqual([none.code, none.stdout], [2, '']);
  assert.match(none.stderr, /There are no turns at \S+ yet/);

  world.model.enqueue([reset], [sseHead, chat.content('Hel'), hold('go'), reset]);
  const viewer = await world.say('Who is there?');
  await viewer.untilText('Hel');
  const following = show(viewer.id, '--follow', ...url);
  const running = await show(viewer.id, ...url);
  assert.match(running.stdout, /^… in_progress\n {4}It runs\.\n/);
  world.model.release('go');
  await viewer.ended;
  const followed = await following;
  const events = followed.stdout.slice(0, followed.stdout.indexOf('\n\n')).split('\n');
  assert.ok(events[0]?.endsWith('  accepted') && events.some((line) => line.endsWith('  failed: stream_interrupted')), followed.stdout);
  await world.history(viewer.id);

  const newest = await show(...url);
  assert.deepEqual([newest.code, newest.stderr], [0, `The newest turn: ${viewer.id}\n`]);
  const byId = await show(viewer.id, ...url);
  assert.equal(byId.code, 0);
  const lines = byId.stdout.split('\n');
  assert.equal(lines[0], '✗ failed: stream_interrupted');
  for (const part of [
    '    failed: transport_failed (ECONNRESET); it was sent, and nothing came back',
    '    cause: Error ECONNRESET: read ECONNRESET',
    '    asked again after 1.00 s: nothing of the answer had begun; 2 requests were left',
    '    failed: stream_interrupted (ECONNRESET); the answer had started',
    '    not asked again: the step had started, and is never asked twice',
    '  input       Who is there?',
  ])
    assert.ok(lines.includes(part), `${part}\n${byId.stdout}`);
  const json = JSON.parse((await show(viewer.id, '--json', ...url)).stdout) as { id: string; events: unknown[] };
  assert.deepEqual([json.id, json.events.length > 5], [viewer.id, true]);

  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-show-'));
  try {
    const file = join(folder, 'turn.json');
    writeFileSync(file, await (await fetch(`${world.url}/turns/${viewer.id}/export`)).text());
    const fromFile = await show(file);
    assert.deepEqual([fromFile.code, fromFile.stderr], [0, '']);
    const [note, ...told] = fromFile.stdout.split('\n');
    assert.ok(note?.startsWith('From /'));
    const start = told.indexOf('✗ failed: stream_interrupted');
    assert.deepEqual(
      told
        .slice(start)
        .filter((line) => !/Temporal|more: --all/.test(line))
        .slice(0, 30),
      lines.slice(0, 30),
    );
    const wrong = await show(file, '--follow');
    assert.equal(wrong.code, 2);
    writeFileSync(file, '{}');
    const broken = await show(file);
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /is no exported turn/);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const unknown = await show('resp_nobody', ...url);
  assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
  assert.match(unknown.stderr, /There is no turn 'resp_nobody' at \S+, or it is another tenant's\. `turnkeep turns` lists the turns\./);
});
