/** Workflow code as an application has it: what `turnkeep/workflow` is told in. Bundled by Temporal's bundler. */
import { CancellationScope, condition, defineQuery, defineSignal, isCancellation, setHandler, executeChild } from '@temporalio/workflow';
import { agentTurn, newTurnId, runTurn, type TurnRequest, type TurnResult } from '../../src/workflow.ts';

export { agentTurn };

export const approve = defineSignal<[string]>('approve');
export const idsOf = defineQuery<readonly string[]>('ids');

/** Two researchers at once, a person's word, and a writer that has it all. */
export async function research(topics: readonly string[]): Promise<{ readonly found: readonly TurnResult[]; readonly text: string }> {
  let word: string | undefined;
  setHandler(approve, (given) => {
    word = given;
  });
  const ids = topics.map(() => newTurnId());
  setHandler(idsOf, () => ids);
  const found = await Promise.all(topics.map((topic, index) => runTurn({ id: ids[index] ?? '', model: 'scripted', input: topic })));
  await condition(() => word !== undefined);
  const { outputText: text } = await runTurn({
    model: 'scripted',
    input: `${found.map(({ outputText }) => outputText).join('+')} ${word}`,
  });
  return { found, text };
}

/** What a request comes to, and whatever is thrown. */
export async function ask(request: TurnRequest): Promise<TurnResult> {
  return runTurn(request);
}

/** Stopped by a signal, and goes on. */
export async function stoppable(request: TurnRequest): Promise<string> {
  const id = newTurnId();
  setHandler(idsOf, () => [id]);
  const scope = new CancellationScope();
  setHandler(approve, () => {
    scope.cancel();
  });
  try {
    return (await scope.run(() => runTurn({ ...request, id }))).status;
  } catch (error) {
    if (isCancellation(error)) return 'stopped';
    throw error;
  }
}

export async function parent(request: TurnRequest): Promise<TurnResult> {
  return executeChild(agentTurn, { args: [request] });
}

/** Two turns at once. */
export async function pair(one: string, other: string): Promise<readonly TurnResult[]> {
  return Promise.all([one, other].map((input) => runTurn({ model: 'scripted', input })));
}
