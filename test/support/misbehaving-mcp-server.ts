/**
 * An MCP server over stdio that does what servers do at their worst. It is no client of the SDK: what it writes is raw.
 *
 * Flags: `--pages=N` lists N tools more, one a page; `--endless` has always another page; `--deaf` survives the end of its
 * stdin and SIGTERM; `--full` reads nothing more when it has been asked for its list; `--silent` answers nothing; `--one-list` and `--no-list` list once and never, `--no-first-list` from the second time on; `--no-tools` has none; `--refuses` prints a secret and ends at once.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const flags = new Set(process.argv.slice(2));
const pages = Number([...flags].find((flag) => flag.startsWith('--pages='))?.slice(8) ?? 0);
if (flags.has('--refuses')) {
  process.stderr.write(`no luck with ${process.env['SECRET']}\n`);
  process.exit(3);
}
if (flags.has('--deaf')) {
  process.on('SIGTERM', () => {});
  setInterval(() => {}, 1_000_000);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly cursor?: string;
    readonly requestId?: number;
    readonly reason?: string;
    readonly arguments?: { readonly bytes?: number; readonly count?: number };
    readonly _meta?: { readonly progressToken?: number };
  };
}

const names = [
  'pid',
  'die',
  'leave',
  'hang',
  'late',
  'cancellations',
  'flood',
  'change',
  'big',
  'huge-line',
  'child',
  'secret',
  'failing',
  'lists',
  'hold',
];
const cancellations: { readonly id: number; readonly reason: string }[] = [];
const held: number[] = [];
let lists = 0;

function write(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}
function answer(id: number | undefined, text: string, more: object = {}): void {
  write({ id, result: { content: [{ type: 'text', text }], ...more } });
}
const tool = (name: string): object => ({ name, inputSchema: { type: 'object' } });

function list({ id, params }: Message): void {
  lists += 1;
  if (flags.has('--no-list') || (flags.has('--one-list') && lists > 1) || (flags.has('--no-first-list') && lists === 1)) return;
  const page = Number(params?.cursor ?? 0);
  const tools = page === 0 ? names.map(tool) : [tool(`page-${page}`)];
  write({ id, result: { tools, ...(flags.has('--endless') || page < pages ? { nextCursor: String(page + 1) } : {}) } });
}

function call({ id, params = {} }: Message): void {
  const { name = '', arguments: args = {}, _meta } = params;
  const started = (): void =>
    write({ method: 'notifications/progress', params: { progressToken: _meta?.progressToken, progress: 1, message: 'started' } });
  switch (name) {
    case 'pid':
      answer(id, String(process.pid));
      break;
    case 'die':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'leave':
      process.exit(7);
      break;
    case 'hang':
    case 'late':
      started();
      break;
    case 'cancellations':
      answer(id, JSON.stringify(cancellations));
      break;
    case 'flood': {
      const line = `${'x'.repeat(1_000)}\n`;
      for (let at = 0; at < (args.bytes ?? 0); at += line.length) {
        process.stdout.write(line);
        process.stderr.write(line);
      }
      answer(id, 'after the flood');
      break;
    }
    case 'change':
      names.push('added');
      write({ method: 'notifications/tools/list_changed' });
      answer(id, 'changed');
      break;
    case 'big':
      // As the SDK of TypeScript writes it, with the id behind.
      process.stdout.write(`{"result":{"content":[{"type":"text","text":"${'x'.repeat(args.bytes ?? 0)}"}]},"jsonrpc":"2.0","id":${id}}\n`);
      break;
    case 'huge-line':
      process.stdout.write(`${'x'.repeat(args.bytes ?? 0)}\n`);
      break;
    case 'child': {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
      answer(id, String(child.pid));
      break;
    }
    case 'secret':
      write({ id, error: { code: -32_000, message: `refused: ${process.env['SECRET']}` } });
      break;
    case 'failing':
      answer(id, `failed with ${process.env['SECRET']}${'x'.repeat(args.bytes ?? 0)}`, { isError: true });
      break;
    case 'lists':
      answer(id, String(lists));
      break;
    case 'hold':
      held.push(id ?? 0);
      started();
      if (held.length === args.count) for (const one of held.splice(0)) answer(one, `${args.count} at once`);
      break;
    default:
      write({ id, error: { code: -32_602, message: `Tool ${name} not found` } });
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (flags.has('--silent')) return;
  const message = JSON.parse(line) as Message;
  if (message.method === 'initialize') {
    const capabilities = flags.has('--no-tools') ? {} : { tools: { listChanged: true } };
    write({ id: message.id, result: { protocolVersion: '2025-06-18', capabilities, serverInfo: { name: 'misbehaving', version: '1' } } });
  } else if (message.method === 'tools/list') {
    list(message);
    if (flags.has('--full')) lines.pause();
  } else if (message.method === 'tools/call') call(message);
  else if (message.method === 'notifications/cancelled') {
    const { requestId = -1, reason = '' } = message.params ?? {};
    cancellations.push({ id: requestId, reason });
    // To the one that is cancelled, which nobody waits for any more.
    answer(requestId, 'too late');
  }
});
