/**
 * The image's HEALTHCHECK, whichever role it runs: a gateway says itself whether it is ready, a worker alone whether it runs
 * where it has a port for its metrics. Exit code 0 or 1.
 *
 *     node healthcheck.js [COMMAND_LINE]      a file as /proc/1/cmdline, which it is by default
 */
import { readFileSync } from 'node:fs';

const answerLimitMs = 4_000;
const { TURNKEEP_PORT: port = '8484', TURNKEEP_METRICS_PORT: metricsPort } = process.env;
const words = readFileSync(process.argv[2] ?? '/proc/1/cmdline', 'utf8').split('\0');

if (words.includes('worker')) process.exit(metricsPort ? await codeOf(`http://127.0.0.1:${metricsPort}/healthz`) : 0);
process.exit(await codeOf(`http://127.0.0.1:${port}/readyz`));

/** @param {string} url */
async function codeOf(url) {
  try {
    const { ok } = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    return ok ? 0 : 1;
  } catch {
    return 1;
  }
}
