/** Tools of an agent that a story holds, counts and lets go. */
import { z } from 'zod';
import { type AgentConfig, readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import type { ToolContext } from '../../src/tools/tool.ts';

interface Run {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly context: ToolContext;
}

/** The agents of one world: `helper` has all of these tools, `short` two of them, `elsewhere` a provider of its own. */
export class ToolBench {
  /** In the order in which they began. */
  readonly runs: Run[] = [];
  readonly config: AgentConfig;
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #begun = new Map<string, PromiseWithResolvers<Run>>();

  /** @param bigResult what `big` returns */
  constructor(bigResult = '') {
    const named = z.object({ name: z.string() });
    const say = (tool: string, text: (name: string) => string) => ({
      description: `the tool ${tool}`,
      input: named,
      run: ({ name }: { readonly name: string }, context: ToolContext): string => {
        this.#begin({ tool, args: { name }, context });
        return text(name);
      },
    });
    const held = {
      description: 'goes on when the story says so',
      input: named,
      run: async ({ name }: { readonly name: string }, context: ToolContext): Promise<string> => {
        this.#begin({ tool: 'held', args: { name }, context });
        await this.#gate(name).promise;
        return `${name} went on`;
      },
    };
    this.config = readAgentConfig(
      defineConfig({
        providers: { other: { baseUrl: 'http://127.0.0.1:9/v1' } },
        tools: {
          echo: defineTool(say('echo', (name) => `echo of ${name}`)),
          again: defineTool({ ...held, attempts: 3 }),
          held: defineTool(held),
          broken: defineTool(
            say('broken', (name) => {
              throw new Error(`${name} is broken`);
            }),
          ),
          slow: defineTool({ ...held, timeoutMs: 20 }),
          big: defineTool(say('big', () => bigResult)),
          mail: defineTool({ ...say('mail', (name) => `sent to ${name}`), needsApproval: ({ name }) => name !== 'me' }),
        },
        agents: {
          helper: { model: 'scripted', instructions: 'Help.', tools: ['echo', 'again', 'held', 'broken', 'slow', 'big', 'mail'] },
          short: { model: 'scripted', tools: ['echo', 'held'] },
          elsewhere: { model: 'other/scripted', tools: ['echo'] },
        },
      }),
    );
  }

  /** Arguments of the runs so far, by tool. */
  named(tool: string): readonly unknown[] {
    return this.runs.filter((run) => run.tool === tool).map(({ args }) => args['name']);
  }

  /** Resolves once a run with this name has begun. */
  async begun(name: string): Promise<Run> {
    const run = this.runs.find(({ args }) => args['name'] === name);
    if (run !== undefined) return run;
    const begun = this.#begun.get(name) ?? Promise.withResolvers<Run>();
    this.#begun.set(name, begun);
    return begun.promise;
  }

  /** Lets the runs of this name go on. */
  release(name: string): void {
    this.#gate(name).resolve();
  }

  #begin(run: Run): void {
    this.runs.push(run);
    this.#begun.get(String(run.args['name']))?.resolve(run);
  }

  #gate(name: string): PromiseWithResolvers<void> {
    const gate = this.#gates.get(name) ?? Promise.withResolvers<void>();
    this.#gates.set(name, gate);
    return gate;
  }
}
