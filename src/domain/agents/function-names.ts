/**
 * What an agent's tools are called where a model sees them. Each has its own name where that is the only one; of several of one
 * name, those of MCP servers and sub-agents are `server_tool` and `agent_name`. Pure: the same tools have the same names on
 * every worker, in whatever order their servers answered.
 */

/** The `serverLabel` of sub-agents. No MCP server may have it, nor that of the configuration's own tools. */
export const agentServerLabel = 'agent';

export interface NamedTool {
  /** `turnkeep` for a tool of the configuration, `agent` for a sub-agent, else the name of an MCP server. */
  readonly serverLabel: string;
  readonly name: string;
}

/** OpenAI and others take 64 letters, digits, `_` and `-`. */
const longest = 64;

/**
 * @param localLabel the label of the configuration's own tools: they keep their names, whatever a server comes to offer
 * @param taken names of the client's own functions, which stay as they are
 * @returns a name for each tool, in their order
 */
export function functionNames(tools: readonly NamedTool[], localLabel: string, taken: Iterable<string> = []): readonly string[] {
  const names: (string | undefined)[] = tools.map(() => undefined);
  const used = new Set(taken);
  /** Gives those that have none yet the name they want, where nobody else wants it or has it. */
  const offer = (wanted: (tool: NamedTool) => string, isFor: (tool: NamedTool) => boolean): void => {
    const wishes = tools.map((tool, at) => (names[at] === undefined && isFor(tool) ? wanted(tool) : undefined));
    const counts = Map.groupBy(wishes, (wish) => wish);
    for (const [at, wish] of wishes.entries()) {
      if (wish !== undefined && counts.get(wish)?.length === 1 && !used.has(wish)) names[at] = wish;
    }
    for (const name of names) if (name !== undefined) used.add(name);
  };
  const isLocal = ({ serverLabel }: NamedTool): boolean => serverLabel === localLabel;
  offer(({ name }) => valid(name), isLocal);
  offer(
    ({ name }) => valid(name),
    (tool) => !isLocal(tool),
  );
  offer(
    ({ serverLabel, name }) => valid(`${serverLabel}_${name}`),
    () => true,
  );
  offer(hashed, () => true);
  // Two of one server and one name, which no server should offer.
  return tools.map((tool, at) => names[at] ?? unused(hashed(tool), used));
}

function valid(name: string): string {
  const safe = name.replaceAll(/[^\w-]/g, '_');
  return safe !== '' && safe.length <= longest ? safe : withHash(safe, name);
}

function hashed({ serverLabel, name }: NamedTool): string {
  return withHash(`${serverLabel}_${name}`.replaceAll(/[^\w-]/g, '_'), JSON.stringify([serverLabel, name]));
}

function withHash(name: string, key: string): string {
  const hash = fnv1a(key).toString(36).padStart(7, '0');
  return `${name.slice(0, longest - hash.length - 1)}_${hash}`;
}

function unused(name: string, used: Set<string>): string {
  for (let count = 2; ; count += 1) {
    const candidate = `${name.slice(0, longest - 5)}_${count}`;
    if (used.has(candidate)) continue;
    used.add(candidate);
    return candidate;
  }
}

/** 32 bits of FNV-1a over UTF-16 code units: the sandbox has no `node:crypto`, and nobody gains by a collision. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}
