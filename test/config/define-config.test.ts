/** What the types of a configuration complete and refuse: `tsc` is the test, each `@ts-expect-error` a case. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { configMark, defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';

const search = defineTool({
  description: 'Searches.',
  input: z.object({ query: z.string(), limit: z.int().default(10), since: z.string().transform((text) => new Date(text)) }),
  run({ query, limit, since }, { signal, idempotencyKey, turn, log, progress }) {
    const seen: [string, number, Date, AbortSignal, string, string] = [query, limit, since, signal, idempotencyKey, turn.id];
    log(query);
    progress('half');
    // @ts-expect-error an argument that the schema does not have
    return (args: { query: string }) => [seen, args.offset];
  },
  needsApproval: ({ limit }) => limit > 100,
});

test('names are checked where they are known: tools, servers and agents', () => {
  const config = defineConfig({
    providers: { local: { baseUrl: 'http://127.0.0.1:11434/v1', apiKey: process.env['NONE'], api: 'chat' } },
    tools: { search, now: defineTool({ description: 'Now.', input: z.object({}), run: () => Date.now() }) },
    mcpServers: { files: { command: 'npx', args: ['server'] }, github: { url: 'https://mcp.example/', needsApproval: ['delete'] } },
    agents: {
      writer: { model: 'local/llama', tools: ['search', 'now', 'mcp:files', 'agent:reader'], limits: { steps: 5 } },
      reader: { model: 'gpt-5', tools: ['mcp:github'], settings: { temperature: 0 }, compaction: 'off' },
    },
    prices: { 'gpt-5': { input: 1.25, output: 10 } },
    limits: { turn: { costUsd: 1 }, session: { wallTimeMs: 3_600_000 } },
  });
  assert.deepEqual(Object.keys(config[configMark].agents ?? {}), ['writer', 'reader']);
});

test('what is misspelt does not compile', () => {
  defineConfig({
    tools: { search },
    mcpServers: { files: { command: 'x' } },
    agents: {
      // @ts-expect-error no such tool
      a: { model: 'm', tools: ['serch'] },
      // @ts-expect-error no such server
      b: { model: 'm', tools: ['mcp:file'] },
      // @ts-expect-error no such agent
      c: { model: 'm', tools: ['agent:d'] },
      // @ts-expect-error no such member
      e: { model: 'm', instruction: 'x' },
      // @ts-expect-error no such setting
      f: { model: 'm', settings: { temprature: 1 } },
      // @ts-expect-error no such limit
      g: { model: 'm', limits: { step: 1 } },
      // @ts-expect-error a model is needed
      h: {},
    },
  });
  // @ts-expect-error there are no tools at all
  defineConfig({ agents: { a: { model: 'm', tools: ['search'] } } });
  // @ts-expect-error a tool is made by defineTool
  defineConfig({ tools: { search: { description: 'x', input: z.object({}), run: () => 1 } } });
  // @ts-expect-error no such section
  defineConfig({ agent: {} });
  defineTool({
    description: 'x',
    input: z.object({ a: z.string() }),
    // @ts-expect-error a number is not what the schema says
    run: ({ a }: { a: number }) => a,
  });
  // @ts-expect-error a schema is needed
  defineTool({ description: 'x', input: { type: 'object' }, run: () => 1 });
});
