import { npmClient } from './installed.ts';
import type { Talk } from './talk.ts';
import { type Client, twoCalls } from './two-calls.ts';

/** Codex has a table of OpenAI's models, and offers them other tools than any other. */
function codexWith(model: string, tools: Pick<Client, 'readNotes' | 'writeAnswer'>, transport: 'HTTP' | 'WebSocket' = 'HTTP'): Client {
  const isWebSocket = transport === 'WebSocket';
  return {
    name: `Codex CLI, set to the model ${model}, over ${transport},`,
    isWebSocket,
    apis: ['responses'],
    goesOn: true,
    program: () => npmClient('codex'),
    configure(talk: Talk) {
      const config = `
model = "${model}"
model_provider = "turnkeep"
check_for_update_on_startup = false

[model_providers.turnkeep]
name = "turnkeep"
base_url = "${talk.baseUrl}"
env_key = "TURNKEEP_KEY"
wire_api = "responses"
supports_websockets = ${isWebSocket}
`;
      talk.write('.codex/config.toml', config);
    },
    say(talk, words, isFirst) {
      // Its own sandbox needs rights that a container does not give.
      const flags = ['--json', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'];
      return {
        args: ['exec', ...(isFirst ? [] : ['resume', '--last']), ...flags, words],
        env: { TURNKEEP_KEY: talk.key },
      };
    },
    ...tools,
  };
}

/** Functions, a namespace of them, and web search, which is OpenAI's own to run. */
const shell: Pick<Client, 'readNotes' | 'writeAnswer'> = {
  readNotes: () => ({ name: 'exec_command', input: { cmd: 'cat notes.txt' } }),
  writeAnswer: (_talk, word) => ({ name: 'exec_command', input: { cmd: `printf %s ${word} >>answer.txt` } }),
};

/** JavaScript that calls the rest, as Codex offers it to OpenAI's models: a freeform tool in a namespace, which comes as an item of the input. */
const read = `text(await tools.exec_command({ cmd: 'cat notes.txt' }));`;
const write = (word: string): string =>
  `text(await tools.apply_patch('*** Begin Patch\\n*** Add File: answer.txt\\n+${word}\\n*** End Patch'));`;

const freeform: Pick<Client, 'readNotes' | 'writeAnswer'> = {
  readNotes: () => ({ name: 'exec', input: read }),
  writeAnswer: (_talk, word) => ({ name: 'exec', input: write(word) }),
};
/** The same, as a model behind Chat Completions knows it: a function of one text. */
const asFunction = codexWith('gpt-6-sol', {
  readNotes: () => ({ name: 'functions__exec', input: { input: read } }),
  writeAnswer: (_talk, word) => ({ name: 'functions__exec', input: { input: write(word) } }),
});

twoCalls(codexWith('scripted', shell), ['responses', 'chat']);
twoCalls(codexWith('scripted', shell, 'WebSocket'), ['responses', 'chat']);
twoCalls(codexWith('gpt-6-sol', freeform));
twoCalls(codexWith('gpt-6-sol', freeform, 'WebSocket'));
twoCalls(asFunction, ['chat']);
