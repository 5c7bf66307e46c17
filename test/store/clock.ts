/** The wall clock of this machine in the hands of a test: it stands still, until it is moved. */
import { mock } from 'node:test';

export function setClock(): Disposable & { move(byMs: number): void } {
  let now = Date.now();
  const mocked = mock.method(Date, 'now', () => now);
  return {
    move(byMs) {
      now += byMs;
    },
    [Symbol.dispose]() {
      mocked.mock.restore();
    },
  };
}
