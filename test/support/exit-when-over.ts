/**
 * Loaded before each test file: its process ends ten seconds after its last test, whatever a test that failed has left open. Node's
 * own `--test-force-exit` ends it at once, and with it reports that are still on their way to the runner.
 */
import { after } from 'node:test';

const graceMs = 10_000;

after(() => {
  // Fires only where something else keeps the process.
  setTimeout(() => process.exit(), graceMs).unref();
});
