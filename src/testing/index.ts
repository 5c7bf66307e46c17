/**
 * `turnkeep/testing`: a model server that breaks as a test scripts it, and the demo model that is made of it. Runs in Node, on
 * real sockets; loads no native code, and nothing of Temporal.
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
export { startDemoModel } from './demo-model.ts';
export * from './model-server/index.ts';
