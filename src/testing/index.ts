/**
 * Entry point `turnkeep/testing`: a model server that fails on demand, for tests of any client of OpenAI's APIs, and
 * the demo model of `turnkeep dev`, which is made of it. It imports nothing else of turnkeep.
 *
 * A request is answered by a script: a list of steps, played from the first to the last. Steps are `head`, `text`,
 * `event`, `hold`, `reset` and so on; `chat.*` and `ResponsesWriter` make the events of the two APIs; `chatAnswer`,
 * `responsesAnswer`, `httpError` and their like are whole scripts.
 *
 * @example A connection that is reset once the client has read the first delta:
 *     await using server = await startModelServer();
 *     server.enqueue([sseHead, chat.content('Hel'), hold('read'), reset]);
 *     const client = new OpenAI({ baseURL: server.baseUrl, apiKey: 'none', maxRetries: 0 });
 *     const messages = [{ role: 'user', content: 'Hello?' }] as const;
 *     const stream = await client.chat.completions.create({ model: 'any', messages, stream: true });
 *     await assert.rejects(async () => {
 *       for await (const _ of stream) server.release('read');
 *     });
 *     assert.equal(server.requests.length, 1);
 */
export { startDemoModel } from './demo-model.ts';
export * from './model-server/index.ts';
