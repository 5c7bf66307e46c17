/**
 * What every client with tools is put to: it has the model read a file, and write what was in it into another one.
 * turnkeep is killed when half of the answer that calls the second tool has been shown.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type Answer, entriesOf, type Entry, scriptedModel, type ToolCall, toolsOf } from '../support/scripted-model.ts';
import { type Api, type Launch, startTalk, type Talk } from './talk.ts';

export interface Client {
  readonly name: string;
  /** Those that it can be set to speak. */
  readonly apis: readonly Api[];
  /** Its path; installs it where it is not there yet. */
  program(): Promise<string>;
  /** Writes what the client is configured by: turnkeep's base URL, its key, and a model. */
  configure(talk: Talk, api: Api): void;
  /** How the user says something; `isFirst` begins the talk. */
  say(talk: Talk, words: string, isFirst: boolean): Launch;
  /** A call that reads `notes.txt`, by a tool that the client offers. */
  readNotes(talk: Talk): ToolCall;
  /** A call that writes the word into `answer.txt`. */
  writeAnswer(talk: Talk, word: string): ToolCall;
  /** Whether it sends a request again by itself when its connection broke in the middle of the answer. */
  readonly goesOn: boolean;
  /** Its requests are messages of a WebSocket, all of them: it would fall back to `POST` without a word. */
  readonly isWebSocket?: boolean;
}

interface Course {
  /** What the user says, one after the other. */
  readonly words: readonly string[];
  /** What the model does, request by request. The answer that was cut is the only one that is asked for twice. */
  readonly acts: readonly string[];
  /** The talk as the last request tells it. */
  readonly story: readonly string[];
}

const inOneGo: Course = {
  words: ['Read notes.txt, then write the word that it holds into answer.txt.'],
  acts: ['read', 'write', 'write', 'end'],
  story: ['the user', 'I read.', 'read', 'its output', 'I write.', 'write', 'its output'],
};
/** For a client that gives up: its user says the second thing again. */
const inTwo: Course = {
  words: ['Read notes.txt.', 'Now write the word that it holds into answer.txt.'],
  acts: ['read', 'end', 'write', 'write', 'end'],
  story: ['the user', 'I read.', 'read', 'its output', 'Done.', 'the user', 'I write.', 'write', 'its output'],
};

/** @param providerApis what the provider behind turnkeep speaks: the client's own API, where nothing is said */
export function twoCalls(client: Client, providerApis?: readonly Api[]): void {
  // Side by side: most of the time each waits for a client to start, or for a lease to run out.
  suite(`${client.name} does two tool calls, with turnkeep killed amid the second`, { concurrency: true }, () => {
    for (const api of client.apis) {
      for (const providerApi of providerApis ?? [api])
        test(`by ${api}, the provider by ${providerApi}`, () => tell(client, api, providerApi));
    }
  });
}

async function tell(client: Client, api: Api, providerApi: Api): Promise<void> {
  const program = await client.program();
  const { words, acts, story } = client.goesOn ? inOneGo : inTwo;
  const word = `word-${randomUUID().slice(0, 8)}`;
  const acted: string[] = [];
  function act(name: string, answer: Answer): Answer {
    acted.push(name);
    return answer;
  }
  const answerTo = (entries: readonly Entry[], tools: readonly string[]): Answer => {
    const [read, write] = [client.readNotes(talk), client.writeAnswer(talk, wordIn(entries))];
    // Without tools it is not the talk that is gone on with: opencode has a title made of it.
    if (!tools.includes(write.name)) return { text: 'A title' };
    if (!isDone(read, entries)) return act('read', { reasoning: 'First the notes.', text: 'I read.', call: read });
    const wantsMore = entries.some((entry) => isOfUser(entry, words.slice(-1)));
    if (!wantsMore || isDone(write, entries)) return act('end', { text: 'Done.' });
    return act('write', { reasoning: 'Now the answer.', text: 'I write.', gate: 'cut', call: write });
  };
  const model = scriptedModel((entries, request) => answerTo(entries, toolsOf(request)));
  await using talk: Talk = await startTalk(model, providerApi);
  talk.write('work/notes.txt', `The word is ${word}.\n`);
  client.configure(talk, api);

  const cut = talk.killAt('cut', 'I write.');
  let isCut = false;
  void cut.then(
    () => (isCut = true),
    () => undefined,
  );
  for (const [index, each] of words.entries()) {
    if (await talk.run(program, client.say(talk, each, index === 0))) continue;
    await cut;
    assert.ok(!client.goesOn && index === 1, talk.output);
    assert.ok(await talk.run(program, client.say(talk, each, false)), talk.output);
  }

  assert.ok(isCut, talk.output);
  // Behind the end of that turn nothing is asked for any more.
  const end = await talk.endOf(await cut);
  assert.ok(end === undefined || end === 'worker_lost', end);
  assert.deepEqual(acted, acts, talk.output);
  const asked = talk.methodsOf('/v1/responses').filter((method) => method !== 'GET');
  if (client.isWebSocket === true) assert.deepEqual([...new Set(asked)], ['WEBSOCKET'], talk.output);
  assert.equal(talk.read('answer.txt').trim(), word);
  const last = talk.cluster.model.requests.findLast((request) => toolsOf(request).length > 0);
  assert.ok(last);
  assert.deepEqual(storyOf(entriesOf(last), words, [client.readNotes(talk), client.writeAnswer(talk, word)]), story);
}

function wordIn(entries: readonly Entry[]): string {
  const text = entries.map((entry) => (entry.kind === 'output' ? entry.text : '')).join('\n');
  return /word-[0-9a-f]{8}/.exec(text)?.[0] ?? '';
}

function isDone(call: ToolCall, entries: readonly Entry[]): boolean {
  return entries.some((made) => isCall(made, call) && entries.some((entry) => entry.kind === 'output' && entry.callId === made.callId));
}

function isCall(entry: Entry, { name, input }: ToolCall): entry is Extract<Entry, { kind: 'call' }> {
  if (entry.kind !== 'call' || entry.name !== name) return false;
  return typeof input === 'string' ? entry.input === input : isDeepStrictEqual(JSON.parse(entry.input), input);
}

/** Clients say much in the user's name that the user has not said. */
function isOfUser(entry: Entry, words: readonly string[]): boolean {
  return entry.kind === 'message' && entry.role === 'user' && words.some((each) => entry.text.includes(each));
}

/** From the user's first words on; each output has to follow on its call. */
function storyOf(entries: readonly Entry[], words: readonly string[], [read, write]: readonly [ToolCall, ToolCall]): string[] {
  const first = entries.findIndex((entry) => isOfUser(entry, words));
  return entries.slice(first).map((entry, at, all) => {
    if (isOfUser(entry, words)) return 'the user';
    if (entry.kind === 'message') return entry.text;
    if (isCall(entry, read)) return 'read';
    if (isCall(entry, write)) return 'write';
    const before = all[at - 1];
    return before?.kind === 'call' && before.callId === entry.callId ? 'its output' : JSON.stringify(entry);
  });
}
