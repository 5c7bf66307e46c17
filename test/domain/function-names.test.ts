/** What an agent's tools are called where a model sees them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionNames } from '../../src/domain/agents/function-names.ts';

const nameOf = (tools: readonly string[], taken: readonly string[] = []): readonly string[] =>
  functionNames(
    tools.map((tool) => {
      const [serverLabel = '', ...rest] = tool.split(':');
      return { serverLabel, name: rest.join(':') };
    }),
    'turnkeep',
    taken,
  );

for (const [title, tools, names, taken = []] of [
  ['nothing', [], []],
  ['its own name where that is the only one', ['turnkeep:search', 'files:read', 'agent:writer'], ['search', 'read', 'writer']],
  ['one of the configuration keeps its name', ['files:read', 'turnkeep:read', 'agent:read'], ['files_read', 'read', 'agent_read']],
  ['of two servers each has its own', ['files:read', 'mail:read', 'mail:send'], ['files_read', 'mail_read', 'send']],
  ["the client's own functions keep theirs", ['turnkeep:read', 'files:send'], ['turnkeep_read', 'files_send'], ['read', 'send']],
  ['no name that the API refuses', ['files:fs.read/all', 'x:größe'], ['fs_read_all', 'gr__e']],
  ['two that come to the same name', ['a:x.y', 'a:x_y', 'b:z'], ['a_x_y_1a33icz', 'a_x_y_0vmwznu', 'z']],
  ['a server that offers one twice', ['a:x', 'a:x'], ['a_x_0zqnrnq_2', 'a_x_0zqnrnq_3']],
  ['what another tool is called', ['a:b_c', 'b:c', 'c:c', 'turnkeep:b_c'], ['a_b_c', 'b_c_07c0miu', 'c_c', 'b_c']],
  ['no name at all', ['a:'], ['_0ztntfp']],
] as [string, string[], string[], string[]?][]) {
  test(`a tool is called: ${title}`, () => {
    assert.deepEqual(nameOf(tools, taken), names);
  });
}
