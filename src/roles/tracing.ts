/** The tracer of a process, as its configuration wants it. */
import type { Logger } from 'pino';
import { type Config, readVersion } from '../config/config.ts';
import { headerOf, placeOf, spanIdOfPart } from '../metrics/traces/span.ts';
import type { Agents } from '../activities/attempt/agents.ts';
import type { Tracer } from '../metrics/traces/exporter.ts';

/** @returns undefined: nothing is traced. Who starts it closes it, before the store that its spans are read from. */
export async function startTracer({ traces }: Pick<Config, 'traces'>, log: Logger): Promise<Tracer | undefined> {
  if (traces === undefined) return undefined;
  // Its libraries take 100 ms to load, which nobody waits for who traces nothing.
  const { createTracer } = await import('../metrics/traces/exporter.ts');
  return createTracer({
    ...traces,
    version: readVersion(),
    onFailure: (reason) => {
      log.warn({ reason }, 'traces could not be sent to their collector: they are dropped while it does not take them');
    },
  });
}

/** What requests and tools are told of their place in the trace, so that the spans of whoever serves them join it. */
export function traceparentsOf(tracer: Tracer | undefined): Pick<Agents, 'traceparentOf'> {
  if (tracer === undefined) return {};
  return {
    traceparentOf: (turn, part) => {
      const { traceId } = placeOf(turn);
      return headerOf({ traceId, spanId: spanIdOfPart(turn, part) }, tracer.isSampled(traceId));
    },
  };
}
