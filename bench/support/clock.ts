/** One clock for all processes of a machine: `hrtime` counts from the same moment in each of them, unlike `performance.now`. */
export function clockMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
