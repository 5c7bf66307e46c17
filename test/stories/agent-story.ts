/** Stories with an agent's tools, and what is seen of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ScriptedCall } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { ToolBench } from '../support/tool-bench.ts';
import type { FinalResponse, Viewer } from '../support/viewer.ts';
import { story, type World, type WorldOptions } from '../support/world.ts';

export const helper = { model: 'helper' };
export const keys = ['ann', 'bob'].map((name) => ({ name, hash: createHash('sha256').update(`secret of ${name}`).digest('hex') }));
export const bigResult = 'ä'.repeat(200_000);

/** A story with tools of its own. */
export function agentStory(title: string, tell: (world: World, tools: ToolBench) => Promise<void>, options: WorldOptions = {}): void {
  let tools: ToolBench | undefined;
  const agents = () => (tools = new ToolBench(bigResult)).config;
  story(
    title,
    async (world) => {
      assert.ok(tools);
      await tell(world, tools);
    },
    { ...options, agents },
  );
}

export function call(id: string, tool: string, name = id): ScriptedCall {
  return { id, name: tool, arguments: { name } };
}

/** What the model is told in a request, in short: role, text or the names of calls, and whose output it is. */
export function told(world: World, request: number): readonly unknown[] {
  return messagesOf(world.model.requests[request]).map((message) => {
    const { role, content, tool_calls: calls, tool_call_id: id } = message as unknown as Told;
    return [role, ...(calls === undefined ? [content] : [calls.map((each) => each.id)]), ...(id === undefined ? [] : [id])];
  });
}

interface Told {
  readonly role: string;
  readonly content: string | null;
  readonly tool_calls?: readonly { readonly id: string }[];
  readonly tool_call_id?: string;
}

export interface CallItem {
  readonly id: string;
  readonly type: string;
  readonly status?: string;
  readonly name?: string;
  readonly output?: string | null;
  readonly error?: { readonly content: readonly { readonly text: string }[] } | null;
}

export function itemsOf({ output }: FinalResponse): readonly CallItem[] {
  return output as readonly unknown[] as readonly CallItem[];
}

/** Type and status of each item. */
export function shown({ last }: Viewer): readonly unknown[] {
  return itemsOf(last.response).map(({ type, status }) => [type, status]);
}
