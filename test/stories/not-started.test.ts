/** The law of retries, first half: what has not started is asked for again, three times at most. */
import assert from 'node:assert/strict';
import {
  chat,
  chatAnswer,
  comment,
  end,
  fin,
  reset,
  ResponsesWriter,
  responsesAnswer,
  type Script,
  sseHead,
  head,
} from '../../src/testing/model-server/index.ts';
import { type Case, caseModel, runCase } from '../support/cases.ts';
import { story } from '../support/world.ts';

interface Fault extends Case {
  readonly times: number;
}

const chatPhases: Record<string, Script> = {
  'before headers': [],
  'after headers': [sseHead],
  'after a comment': [sseHead, comment('processing')],
  'after a role-only chunk': [sseHead, chat.role()],
  'after a role-only chunk with null': [sseHead, chat.role(null)],
  'after an empty delta': [sseHead, chat.role(), chat.content(''), chat.empty(), chat.reasoning('')],
};

function responsesPhases(): Record<string, Script> {
  const begun = new ResponsesWriter();
  const bare = new ResponsesWriter({ isBare: true });
  return {
    'before headers': [],
    'after headers': [sseHead],
    'after created and in_progress': [sseHead, ...begun.begin()],
    'after an item without text': [sseHead, ...bare.begin(), ...bare.text('')],
  };
}

const breaks = { reset, fin, 'a clean end': end } as const;

function faults(phases: Record<string, Script>, whole: Script): Fault[] {
  return Object.entries(phases).flatMap(([phase, before]) =>
    Object.entries(breaks)
      .filter(([name]) => before.length > 0 || name !== 'a clean end')
      .flatMap(([name, last]) =>
        [1, 2, 3].map((times) => ({
          name: `${name} ${phase}, ${times} times`,
          times,
          scripts: [...Array.from({ length: times }, () => [...before, last]), whole],
        })),
      ),
  );
}

/** Cut bodies that no framing can tell from whole ones. */
const unframed: Fault[] = (['close', 'http10', { length: 10_000 }] as const).map((framing) => ({
  name: `a fin in a body framed by ${JSON.stringify(framing)}`,
  times: 1,
  scripts: [[head({ framing }), chat.role(), fin], chatAnswer('Hello', ' world')],
}));

const completed = [
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.content_part.added',
  'response.output_text.delta',
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
  'response.completed',
];

function tell(title: string, api: 'chat' | 'responses', cases: readonly Fault[]): void {
  story(
    title,
    async (world) => {
      await Promise.all(
        cases.map(async (fault) => {
          const { viewer, requests, attempts } = await runCase(world, fault);
          const isLost = fault.times === 3;
          const made = isLost ? 3 : fault.times + 1;
          assert.equal(requests.length, made, `${fault.name}: requests`);
          const withoutRepeats = viewer.types.filter((type, index) => type !== viewer.types[index - 1]);
          assert.deepEqual(
            withoutRepeats,
            isLost ? ['response.created', 'response.queued', 'response.in_progress', 'response.failed'] : completed,
            fault.name,
          );
          assert.equal(viewer.text, isLost ? '' : 'Hello world');
          assert.equal(viewer.last.response.error?.code ?? null, isLost ? 'transport_failed' : null);
          assert.deepEqual(
            attempts.map(({ outcome, code, waitMs }) => [outcome, code, waitMs]),
            Array.from({ length: made }, (_, index) =>
              index < fault.times
                ? ['failed', 'transport_failed', index === 2 ? undefined : (index + 1) * 1_000]
                : ['completed', undefined, undefined],
            ),
            fault.name,
          );
          requests.slice(1).forEach((request, index) => {
            const waitedMs = request.arrivedAtMs - (requests[index]?.endedAtMs ?? Number.NaN);
            assert.ok(waitedMs >= (index + 1) * 1_000 - 5, `${fault.name}: waited ${waitedMs} ms before request ${index + 2}`);
          });
          assert.deepEqual(
            requests.map(({ body }) => JSON.stringify(body)),
            requests.map(() => JSON.stringify(requests[0]?.body)),
            'T1 · the same prompt each time',
          );
        }),
      );
    },
    { api, model: caseModel(cases) },
  );
}

tell('T3 · what breaks before the first delta is asked for again after 1 s and 2 s (chat)', 'chat', [
  ...faults(chatPhases, chatAnswer('Hello', ' world')),
  ...unframed,
]);
tell(
  'T3 · what breaks before the first delta is asked for again after 1 s and 2 s (responses)',
  'responses',
  faults(responsesPhases(), responsesAnswer('Hello', ' world')),
);
