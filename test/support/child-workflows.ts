/** Workflows that start children under ids of every kind, before and after continue-as-new. */
import { continueAsNew, executeChild, uuid4, workflowInfo } from '@temporalio/workflow';

export async function kid(name: string): Promise<string> {
  return `hello ${name}`;
}

/** @param round the second is the last */
export async function family(round: number): Promise<number> {
  const { workflowId, runId } = workflowInfo();
  await executeChild(kid, { args: ['of an id of the SDK'] });
  await executeChild(kid, { workflowId: `kid/${uuid4()}`, args: ['of a random id'] });
  await executeChild(kid, { workflowId: `kid/${workflowId}/${round}`, args: ['of an id by name'] });
  await executeChild(kid, { workflowId: `kid/${runId}`, args: ['of an id by run'] });
  if (round === 1) await continueAsNew<typeof family>(2);
  return round;
}
