/** A reporter of `node --test` that writes how many tests there were, and how they ended, as one line of JSON. */
import type { TestEvent } from 'node:test/reporters';

export default async function* countsReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    // Those of a single file are in the sum too.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, suites, passed: pass, cancelled, skipped, todo } = event.data.counts;
    const counts = { tests, suites, pass, fail: tests - pass - cancelled - skipped - todo, cancelled, skipped, todo };
    yield JSON.stringify({ ...counts, duration_ms: event.data.duration_ms });
  }
}
