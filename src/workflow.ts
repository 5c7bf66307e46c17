/**
 * `turnkeep/workflow`: the workflows of turns, to be exported by the workflow code of a worker of one's own, beside its own
 * workflows. Safe in the bundle of Temporal's sandbox: it imports `@temporalio/workflow` and nothing of Node.
 *
 * @example
 *     // workflows.ts, which Worker.create({ workflowsPath }) bundles
 *     export { agentTurn, title } from 'turnkeep/workflow';
 */
export { agentTurn } from './workflows/agent-turn.ts';
export { title } from './workflows/title.ts';
export type { AgentTurnInput, TitleInput } from './contract/workflows.ts';
