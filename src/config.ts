/**
 * `turnkeep/config`: what `turnkeep.config.ts` is made of, and the settings of a process, read from its environment. Of both all
 * mistakes are reported at once. The commands read theirs the same way. Runs in Node; loads no native code.
 *
 * @example
 *     import { ConfigError, readConfig } from 'turnkeep/config';
 *
 *     try {
 *       const { host, port } = readConfig({ env: process.env });
 *       console.log(`http://${host}:${port}`);
 *     } catch (error) {
 *       if (error instanceof ConfigError) console.error(error.message);
 *     }
 */
export { type AgentConfig, type ProviderSettings, readAgentConfig } from './config/agent-config.ts';
export { type Config, ConfigError } from './config/config.ts';
export {
  type AgentDefinition,
  type AgentSettings,
  type ConfigDefinition,
  defineConfig,
  type DefinedConfig,
  type McpServerDefinition,
  type ProviderDefinition,
} from './config/define-config.ts';
export { type AnyTool, type DefinedTool, defineTool, type ToolDefinition, type ToolInput } from './config/define-tool.ts';
export { loadAgentConfig, type LoadedAgents } from './config/load-agent-config.ts';
export { readConfig, type Sources as ConfigSources } from './config/read-config.ts';
export { type Setting, settings } from './config/settings.ts';
export type { Agent, Compaction, Limits, Price } from './domain/agents/agent.ts';
export type { McpServer } from './tools/mcp-server.ts';
export type { ToolContext, WorkerTool } from './tools/tool.ts';
