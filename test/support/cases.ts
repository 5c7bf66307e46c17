/** Many turns of one story at once, each with its own scripts, told apart by what the user says. */
import assert from 'node:assert/strict';
import type { LoggedRequest, ModelServerOptions, Script } from '../../src/testing/model-server/index.ts';
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import type { Viewer } from './viewer.ts';
import type { World } from './world.ts';

export interface Case {
  /** What the user says: unique in its story. */
  readonly name: string;
  /** The answer to the nth request of this turn; behind the last, the last again. */
  readonly scripts: readonly Script[];
}

/** The words of the user in a request, whichever API it came by. */
export function asked(request: LoggedRequest): string {
  const body = request.body as { messages?: { content: unknown }[]; input?: { content: unknown }[] };
  const content = (body.messages ?? body.input)?.at(-1)?.content;
  return Array.isArray(content) ? content.map((part: { text: string }) => part.text).join('') : String(content);
}

/** The messages of a request to a Chat Completions provider. */
export function messagesOf(request: LoggedRequest | undefined): readonly { readonly role: string; readonly content: string }[] {
  const { messages } = (request?.body ?? {}) as { messages?: { role: string; content: string }[] };
  assert.ok(messages, 'there is no such request');
  return messages;
}

export function caseModel(cases: readonly Case[]): () => ModelServerOptions {
  return () => {
    const made = new Map<string, number>();
    return {
      fallback: (request) => {
        const name = asked(request);
        const of = cases.find((each) => each.name === name);
        assert.ok(of, `no case is called ${name}`);
        const index = made.get(name) ?? 0;
        made.set(name, index + 1);
        const script = of.scripts[Math.min(index, of.scripts.length - 1)];
        assert.ok(script);
        return script;
      },
    };
  };
}

export function requestsOf(world: World, name: string): readonly LoggedRequest[] {
  return world.model.requests.filter((request) => request.method === 'POST' && asked(request) === name);
}

export interface Outcome {
  readonly viewer: Viewer;
  readonly requests: readonly LoggedRequest[];
  readonly attempts: readonly AttemptRow[];
}

/** Runs one case to its end. `during` may wait for what is shown, and release what holds. */
export async function runCase(world: World, { name }: Case, during?: (viewer: Viewer) => Promise<void>): Promise<Outcome> {
  const viewer = await world.say(name);
  await during?.(viewer);
  await viewer.ended;
  assert.equal(viewer.isDone, true, `${name}: the stream ends with [DONE]`);
  return { viewer, requests: requestsOf(world, name), attempts: await world.attempts(viewer.id) };
}
