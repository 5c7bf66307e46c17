/**
 * Reads one stream and prints each delta, then how the stream ended. With `stops` it stops itself after the first delta, at
 * a point of the event loop where the timers that are due when it is continued come before its sockets.
 * Arguments: the base URL, the idle timeout in ms, `stops` or nothing.
 */
import { createProvider } from '../../../src/providers/create-provider.ts';
import { collect, helloRequest, limits, neverAborted, outcomeOf } from '../support.ts';

const [baseUrl = '', idleTimeoutMs = '', stops] = process.argv.slice(2);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const provider = createProvider({ api: 'chat', baseUrl, limits: { ...limits, idleTimeoutMs: Number(idleTimeoutMs) } });
const result = await collect(provider.stream(helloRequest, neverAborted), (event) => {
  if (event.type !== 'delta') return;
  print(event.delta.text);
  if (event.delta.text !== 'Hel' || stops === undefined) return;
  setImmediate(() => {
    print('stops');
    process.kill(process.pid, 'SIGSTOP');
  });
});
print(outcomeOf(result));
await provider.close();
