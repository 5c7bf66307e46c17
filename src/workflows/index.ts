/** Everything the worker's bundle holds. */
export { agentTurn } from './agent-turn.ts';
export { title } from './title.ts';
export { webhook } from './webhook.ts';
