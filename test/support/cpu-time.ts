/**
 * How much of a processor's time a piece of work takes, in milliseconds: on a busy machine it takes much longer than that by the
 * clock. For work whose cost could grow with the square of its input.
 */
export function cpuMsOf(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
