/**
 * A reporter of `node --test` that writes one line of JSON at the end: how many tests there were, how they ended, and
 * which failed.
 */
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

/** What one pass came to. */
export interface PassReport {
  readonly counts: Readonly<Record<string, number>>;
  /** One sentence per failed test: file, name, and the first lines of the error. */
  readonly failures: readonly string[];
}

const MAX_ERROR_LINES = 12;

/** @returns the error as the test threw it: the runner wraps it in one of its own */
function describeError(error: unknown): string {
  const thrown = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return text.split('\n').slice(0, MAX_ERROR_LINES).join('\n    ');
}

export default async function* passReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failures: string[] = [];
  for await (const event of source) {
    if (event.type === 'test:fail') {
      const { error } = event.data.details;
      // A parent fails with each of its subtests, which are named themselves.
      if ('failureType' in error && error.failureType === 'subtestsFailed') continue;
      const file = event.data.file === undefined ? '' : `${relative(process.cwd(), event.data.file)}: `;
      failures.push(`${file}${event.data.name}\n    ${describeError(error)}`);
    }
    // The summary of a single file is part of the sum too.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, suites, passed: pass, cancelled, skipped, todo } = event.data.counts;
    const ended = { tests, suites, pass, fail: tests - pass - cancelled - skipped - todo, cancelled, skipped, todo };
    const report: PassReport = { counts: { ...ended, duration_ms: event.data.duration_ms }, failures };
    yield JSON.stringify(report);
  }
}
