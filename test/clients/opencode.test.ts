import { join } from 'node:path';
import { npmClient } from './installed.ts';
import { type Client, twoCalls } from './two-calls.ts';

const opencode: Client = {
  name: 'opencode',
  apis: ['chat', 'responses'],
  goesOn: true,
  program: () => npmClient('opencode'),
  configure(talk, api) {
    const turnkeep = {
      npm: api === 'chat' ? '@ai-sdk/openai-compatible' : '@ai-sdk/openai',
      options: { baseURL: talk.baseUrl, apiKey: talk.key },
      models: { scripted: {} },
    };
    const config = { provider: { turnkeep }, model: 'turnkeep/scripted', autoupdate: false, share: 'disabled' };
    talk.write('.config/opencode/opencode.json', JSON.stringify(config));
  },
  say(_talk, words, isFirst) {
    return {
      args: ['run', '--format', 'json', ...(isFirst ? [] : ['--continue']), words],
      // The list of all the models there are, which it would fetch.
      env: { OPENCODE_DISABLE_MODELS_FETCH: '1' },
    };
  },
  readNotes: (talk) => ({ name: 'read', input: { filePath: join(talk.folder, 'notes.txt') } }),
  writeAnswer: (talk, word) => ({ name: 'write', input: { filePath: join(talk.folder, 'answer.txt'), content: word } }),
};

twoCalls(opencode);
