/**
 * `turnkeep/workflow`: the workflows of turns, for the workflow code of a worker of one's own. Safe in the bundle of Temporal's
 * sandbox: of packages it imports `@temporalio/workflow` alone, and nothing of Node. Their activities are
 * `turnkeep/activities`; without workflows of one's own, `turnkeep/worker` has both.
 *
 * @example
 *     // workflows.ts, which Worker.create({ workflowsPath }) bundles
 *     export { agentTurn, title, webhook } from 'turnkeep/workflow';
 *
 *     export async function nightly(): Promise<string> {
 *       return 'a workflow of one\'s own';
 *     }
 */
export { agentTurn } from './workflows/agent-turn.ts';
export { newTurnId, runTurn } from './workflows/own-turn.ts';
export { title } from './workflows/title.ts';
export { webhook } from './workflows/webhook.ts';
export type { TurnRequest, TurnResult } from './contract/own-turns.ts';
export type { AgentTurnInput, TitleInput, WebhookInput } from './contract/workflows.ts';
