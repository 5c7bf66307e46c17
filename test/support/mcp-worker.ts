/** A process with a deaf MCP server, whose pid it prints; to be killed. */
import { misbehavingProgram, nodeServer, toolBox } from './mcp.ts';

const box = toolBox([nodeServer('deaf', [misbehavingProgram, '--deaf'])]);
const result = await box.call('deaf', 'pid');
process.stdout.write(`${result.type === 'output' ? result.text : result.message}\n`);
