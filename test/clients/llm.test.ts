import { join } from 'node:path';
import { pythonClient } from './installed.ts';
import { type Client, twoCalls } from './two-calls.ts';

const functions = `
def read_file(path: str) -> str:
    "The text of a file"
    return open(path).read()

def append_to_file(path: str, text: str) -> str:
    "Writes a text behind what is in a file"
    open(path, "a").write(text)
    return "done"
`;

const llm: Client = {
  name: 'llm',
  apis: ['chat', 'responses'],
  goesOn: false,
  program: () => pythonClient('llm'),
  configure(talk, api) {
    const model = {
      model_id: 'scripted',
      model_name: 'scripted',
      api_base: talk.baseUrl,
      api_key_name: 'turnkeep',
      supports_tools: true,
      reasoning: true,
    };
    // JSON is YAML.
    talk.write('llm/extra-openai-models.yaml', JSON.stringify([{ ...model, responses: api === 'responses' }]));
    talk.write('functions.py', functions);
  },
  say(talk, words, isFirst) {
    const tools = ['--functions', join(talk.home, 'functions.py')];
    return {
      args: ['--model', 'scripted', '--key', talk.key, ...tools, ...(isFirst ? [] : ['--continue']), words],
      env: { LLM_USER_PATH: join(talk.home, 'llm') },
    };
  },
  readNotes: () => ({ name: 'read_file', input: { path: 'notes.txt' } }),
  writeAnswer: (_talk, word) => ({ name: 'append_to_file', input: { path: 'answer.txt', text: word } }),
};

twoCalls(llm);
