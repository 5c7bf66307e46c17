/** Everything the worker's bundle holds. */
export { agentTurn } from './agent-turn.ts';
