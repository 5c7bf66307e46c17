/**
 * The faulty model server: `turnkeep/testing`'s provider that breaks on demand.
 *
 *     await using server = await startModelServer();
 *     server.enqueue([sseHead, chat.role(), chat.content('Hel'), hold('shown'), reset], chatAnswer('Hello'));
 */
export { startModelServer, type ConnectFate, type ModelServer, type ModelServerOptions, type Reply } from './server.ts';
export type { LoggedRequest } from './request-log.ts';
export { checkScript, type Framing, type HeadStep, type Script, type Step } from './script.ts';
export * from './steps.ts';
export * as chat from './chat.ts';
export { ResponsesWriter, type ResponsesWriterOptions } from './responses-writer.ts';
export {
  httpResponse,
  chatAnswer,
  chatToolCalls,
  htmlPage,
  httpError,
  modelList,
  responsesAnswer,
  responsesToolCalls,
  type ScriptedCall,
} from './common-scripts.ts';
export { selfSigned } from './self-signed.ts';
