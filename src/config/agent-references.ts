/**
 * What the parts of a configuration say of each other: names that are there, cycles, prices. Asked also where other parts are
 * wrong, so that nothing comes up one mistake at a time: what it reads may have any form. Pure.
 */
import { readToolName, resolveModel } from '../domain/agents/agent.ts';
import { longestAgentChain } from '../domain/agents/agent-call.ts';
import { agentServerLabel } from '../domain/agents/function-names.ts';
import { localServerLabel } from '../tools/tool.ts';
import { pathOf, suggestion } from './agent-shape.ts';

type Members = { readonly [name: string]: unknown };

/** As functions are named in OpenAI's API. */
const functionName = /^[\w-]{1,64}$/;
const reservedServers = new Set([localServerLabel, agentServerLabel]);

/** @returns every mistake as `path: what is wrong` */
export function referenceMistakes(config: unknown): readonly string[] {
  const { providers, agents, tools, mcpServers, prices, limits } = membersOf(config);
  const parts: Parts = {
    providers: membersOf(providers),
    agents: membersOf(agents),
    tools: membersOf(tools),
    mcpServers: membersOf(mcpServers),
    prices: membersOf(prices),
    limits: membersOf(limits),
  };
  return [...nameMistakes(parts), ...serverMistakes(parts), ...toolMistakes(parts), ...cycleMistakes(parts), ...modelMistakes(parts)];
}

type Parts = { readonly [part in 'providers' | 'agents' | 'tools' | 'mcpServers' | 'prices' | 'limits']: Members };

function nameMistakes(parts: Parts): readonly string[] {
  const wrong = (['agents', 'tools', 'mcpServers', 'providers'] as const).flatMap((part) =>
    Object.keys(parts[part])
      .filter((name) => !functionName.test(name))
      .map((name) => `${pathOf([part, name])}: a name has 1 to 64 letters, digits, "_" and "-"`),
  );
  const reserved = Object.keys(parts.mcpServers).filter((name) => reservedServers.has(name));
  return [
    ...wrong,
    ...reserved.map((name) => `${pathOf(['mcpServers', name])}: ${name} stands for tools of turnkeep's own; give the server another name`),
    ...(Object.hasOwn(parts.providers, 'default')
      ? ["providers.default: default is the environment's (OPENAI_BASE_URL, OPENAI_API_KEY); give this one another name"]
      : []),
  ];
}

function serverMistakes({ mcpServers }: Parts): readonly string[] {
  return Object.entries(mcpServers).flatMap(([name, server]) => {
    const { command, args, env, url, headers } = membersOf(server);
    const at = (...more: string[]): string => pathOf(['mcpServers', name, ...more]);
    if (command === undefined && url === undefined) return [`${at()}: has neither command nor url`];
    if (command !== undefined && url !== undefined) return [`${at()}: has command and url; a server has one of them`];
    return [
      ...(url !== undefined && args !== undefined ? [`${at('args')}: is for a command, and this server has a url`] : []),
      ...(url !== undefined && env !== undefined ? [`${at('env')}: is for a command, and this server has a url`] : []),
      ...(command !== undefined && headers !== undefined ? [`${at('headers')}: is for a url, and this server has a command`] : []),
    ];
  });
}

function toolMistakes(parts: Parts): readonly string[] {
  const known = { tool: Object.keys(parts.tools), mcp: Object.keys(parts.mcpServers), agent: Object.keys(parts.agents) };
  const entries = [...known.tool, ...known.mcp.map((name) => `mcp:${name}`), ...known.agent.map((name) => `agent:${name}`)];
  const words = { tool: 'tool', mcp: 'MCP server', agent: 'agent' } as const;
  return Object.keys(parts.agents).flatMap((agent) =>
    toolsOf(parts, agent).flatMap((entry, index, all) => {
      if (entry === undefined) return [];
      const path = pathOf(['agents', agent, 'tools', index]);
      const { kind, name } = readToolName(entry);
      if (all.indexOf(entry) !== index) return [`${path}: ${JSON.stringify(entry)} is there already`];
      if (known[kind].includes(name)) return [];
      const elsewhere = entries.find((other) => readToolName(other).name === name);
      if (elsewhere !== undefined)
        return [`${path}: no ${words[kind]} ${JSON.stringify(name)}; did you mean ${JSON.stringify(elsewhere)}?`];
      return [`${path}: no ${words[kind]} ${JSON.stringify(name)}${suggestion(entry, entries)}`];
    }),
  );
}

/** One that calls itself by way of others has no end, whatever each of them may spend; nor has a very long chain of them a use. */
function cycleMistakes(parts: Parts): readonly string[] {
  const mistakes: string[] = [];
  const done = new Set<string>();
  /** By agent: agents on the longest way down from it, itself included. */
  const lengths = new Map<string, number>();
  const visit = (agent: string, way: readonly string[]): void => {
    if (done.has(agent)) return;
    for (const [index, entry] of toolsOf(parts, agent).entries()) {
      const { kind, name } = readToolName(entry ?? '');
      if (kind !== 'agent' || !Object.hasOwn(parts.agents, name)) continue;
      const from = [...way, agent].indexOf(name);
      const cycle = [...way, agent].slice(from).concat(name).join(' > ');
      if (from === -1) {
        visit(name, [...way, agent]);
        lengths.set(agent, Math.max(lengths.get(agent) ?? 1, 1 + (lengths.get(name) ?? 1)));
      } else mistakes.push(`${pathOf(['agents', agent, 'tools', index])}: agents call each other in a circle (${cycle})`);
    }
    done.add(agent);
  };
  for (const agent of Object.keys(parts.agents)) visit(agent, []);
  const tooLong = [...lengths].filter(([, length]) => length > longestAgentChain);
  return [
    ...mistakes,
    ...tooLong.map(([agent, length]) => {
      return `${pathOf(['agents', agent, 'tools'])}: ${length} agents would wait for each other; at most ${longestAgentChain} can`;
    }),
  ];
}

function modelMistakes(parts: Parts): readonly string[] {
  const isPriced = (agent: string): boolean => {
    const name = membersOf(parts.agents[agent])['model'];
    if (typeof name !== 'string') return true;
    const { provider, model } = resolveModel(name, (candidate) => Object.hasOwn(parts.providers, candidate));
    return Object.hasOwn(parts.prices, model) || Object.hasOwn(parts.prices, `${provider}/${model}`);
  };
  return Object.keys(parts.agents).flatMap((agent) => {
    const { model: name, limits } = membersOf(parts.agents[agent]);
    if (typeof name !== 'string') return [];
    const { provider, model } = resolveModel(name, (candidate) => Object.hasOwn(parts.providers, candidate));
    const empty =
      model.trim() === '' && name.trim() !== ''
        ? [`${pathOf(['agents', agent, 'model'])}: names the provider ${provider}, and no model`]
        : [];
    const bound = [
      ...(membersOf(limits)['costUsd'] !== undefined ? [['agents', agent, 'limits', 'costUsd']] : []),
      ...['turn', 'session'].filter((of) => membersOf(parts.limits[of])['costUsd'] !== undefined).map((of) => ['limits', of, 'costUsd']),
    ][0];
    if (bound === undefined) return empty;
    const unpriced = reached(parts, agent).filter((each) => !isPriced(each));
    return [...empty, ...unpriced.map((each) => `${pathOf(bound)}: what ${each} costs is not known; give its model a price in prices`)];
  });
}

/** The agent and those that it calls, which draw on its budget. */
function reached(parts: Parts, agent: string, found = new Set<string>()): readonly string[] {
  if (!Object.hasOwn(parts.agents, agent) || found.has(agent)) return [...found];
  found.add(agent);
  for (const entry of toolsOf(parts, agent)) {
    const { kind, name } = readToolName(entry ?? '');
    if (kind === 'agent') reached(parts, name, found);
  }
  return [...found];
}

function toolsOf({ agents }: Parts, agent: string): readonly (string | undefined)[] {
  const { tools } = membersOf(agents[agent]);
  return Array.isArray(tools) ? tools.map((entry: unknown) => (typeof entry === 'string' ? entry : undefined)) : [];
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
