/** Processes that run the agent of `test/data/chaos-agents.ts`, and its turns by what the user said. */
import { type CheckedTurn, checkAgentTurn, agentModel, type Plan, ToolRuns } from '../support/agent-turns.ts';
import { post } from '../support/post.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';

export const options = { timeout: 180_000 };
const env = { TURNKEEP_HEARTBEAT_TIMEOUT_MS: '3000' };

export interface Scene extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly runs: ToolRuns;
  check(name: string): Promise<CheckedTurn>;
}

const ids = new WeakMap<Scene, Map<string, string>>();

export async function sceneOf(plan?: Plan, more: NodeJS.ProcessEnv = {}): Promise<Scene> {
  const runs = new ToolRuns();
  const cluster = await startCluster({ model: agentModel(plan)(), env: { ...env, ...runs.env, ...more } });
  const scene: Scene = {
    cluster,
    runs,
    check: async (name) => checkAgentTurn({ store: cluster.store, model: cluster.model, runs }, idOf(scene, name), name),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      runs[Symbol.dispose]();
    },
  };
  ids.set(scene, new Map());
  return scene;
}

export function idOf(scene: Scene, name: string): string {
  return ids.get(scene)?.get(name) ?? '';
}

export async function begin(scene: Scene, url: string, name: string): Promise<string> {
  const { json } = await post(url, { model: 'worker', input: name, background: true });
  const id = String(json?.['id']);
  ids.get(scene)?.set(name, id);
  return id;
}

export async function settled({ cluster }: Scene, id: string): Promise<void> {
  await until(async () => (await cluster.store.readTurn(id))?.settledAtMs != null);
}

export const completed = { status: 'completed', code: null } as const;
/** What a call comes to that nothing happened to. */
export const whole = '1 completed';
