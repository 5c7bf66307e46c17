/** All public names of the faulty model server. */
export { startModelServer, type ConnectAction, type ModelServer, type ModelServerOptions, type Reply } from './server.ts';
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
export { KeptAnswers, type KeptAnswer } from './kept-answers.ts';
export { selfSigned } from './self-signed.ts';
