/** Entry point `turnkeep/worker`: the worker role, for a process of one's own. It loads Temporal's native bridge. */
export { bundleWorkflows, startWorker, type TurnWorker, type WorkerDeps } from './roles/worker.ts';
