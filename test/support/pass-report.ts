/** What a pass of `node:test` came to: how many tests there were, how they ended, and which failed. */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

const MAX_ERROR_LINES = 12;

/** @returns the error as the test threw it: the runner wraps it in one of its own */
function describeError(error: unknown): string {
  const thrown = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return text.split('\n').slice(0, MAX_ERROR_LINES).join('\n    ');
}

export class PassReport {
  /** One sentence per failed test: file, name, and the first lines of the error. */
  readonly failures: string[] = [];
  counts: Readonly<Record<string, number>> = {};
  /** Every test and every file has ended well. */
  isSuccess = false;

  /** Hands the events on. */
  async *watch(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
    for await (const event of events) {
      this.#note(event);
      yield event;
    }
  }

  #note(event: TestEvent): void {
    if (event.type === 'test:fail') {
      const { error } = event.data.details;
      // A parent fails with each of its subtests, which are named themselves.
      if ('failureType' in error && error.failureType === 'subtestsFailed') return;
      const file = event.data.file === undefined ? '' : `${relative(process.cwd(), event.data.file)}: `;
      this.failures.push(`${file}${event.data.name}\n    ${describeError(error)}`);
    }
    // There is a summary of each file too.
    if (event.type !== 'test:summary' || event.data.file !== undefined) return;
    const { tests, suites, passed: pass, cancelled, skipped, todo } = event.data.counts;
    const ended = { tests, suites, pass, fail: tests - pass - cancelled - skipped - todo, cancelled, skipped, todo };
    this.counts = { ...ended, duration_ms: event.data.duration_ms };
    this.isSuccess = event.data.success;
  }
}
