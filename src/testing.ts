/**
 * `turnkeep/testing`: a model server that breaks as a test scripts it, stories for it, the demo model that is made of it, and a
 * whole turnkeep in one call. Runs in Node, on real sockets; loads no native code before `createTestEnvironment` is called.
 *
 * @example
 *     import { chat, chatAnswer, hold, reset, sseHead, startModelServer } from 'turnkeep/testing';
 *
 *     const server = await startModelServer();
 *     server.enqueue([sseHead, chat.role(), chat.content('Hel'), hold('shown'), reset], chatAnswer('Hello'));
 *     const response = await fetch(`${server.baseUrl}/chat/completions`, { method: 'POST', body: '{}' });
 *     server.release('shown');
 *     await server.close();
 */
export {
  createTestEnvironment,
  type OwnWorkerOptions,
  type TestEnvironment,
  type TestEnvironmentOptions,
} from './test-environment/create.ts';
export type { TemporalOfTests } from './test-environment/temporal.ts';
export { startDemoModel } from './testing/demo-model.ts';
export * from './testing/model-server/index.ts';
export { type Answer, calls, fails, type ModelStory, modelStory, says } from './testing/model-story.ts';
