import { npmClient } from './installed.ts';
import { type Client, twoCalls } from './two-calls.ts';

const pi: Client = {
  name: 'pi',
  apis: ['chat', 'responses'],
  goesOn: true,
  program: () => npmClient('pi'),
  configure(talk, api) {
    const turnkeep = {
      baseUrl: talk.baseUrl,
      apiKey: talk.key,
      api: api === 'chat' ? 'openai-completions' : 'openai-responses',
      models: [{ id: 'scripted', reasoning: true }],
    };
    talk.write('.pi/agent/models.json', JSON.stringify({ providers: { turnkeep } }));
  },
  say(_talk, words, isFirst) {
    const model = ['--provider', 'turnkeep', '--model', 'scripted'];
    return {
      args: [...model, '--mode', 'json', ...(isFirst ? [] : ['--continue']), '--print', words],
      // It would look for a newer one of itself.
      env: { PI_OFFLINE: '1' },
    };
  },
  readNotes: () => ({ name: 'read', input: { path: 'notes.txt' } }),
  writeAnswer: (_talk, word) => ({ name: 'write', input: { path: 'answer.txt', content: word } }),
};

twoCalls(pi, ['chat', 'responses']);
