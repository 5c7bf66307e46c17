/** `turnkeep/testing`: the faulty model server, and the demo model that is made of it. */
export { startDemoModel } from './demo-model.ts';
export * from './model-server/index.ts';
