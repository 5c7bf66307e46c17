/** Tells whether this process has time to spare: whether its event loop rests, and gets the CPU when it wants it. */
import type { LoopClock } from './fair-queue.ts';

const tickMs = 2;
/** Timers are whole milliseconds of the loop's own clock: so late is on time. */
const lateMs = 1.5;
/** Of the time between two ticks: what the loop has to wait for events in it. */
const idleShare = 0.5;

/** A loop that is busy calls its timers late, and so does one whose thread others keep from the CPU: its idle time alone says that it rests then. */
export const loopClock: LoopClock = (onTick) => {
  let atMs = performance.now();
  let before = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const [beforeMs, earlier] = [atMs, before];
    atMs = performance.now();
    before = performance.eventLoopUtilization();
    const isLate = atMs - beforeMs > tickMs + lateMs;
    onTick(!isLate && before.idle - earlier.idle >= tickMs * idleShare);
  }, tickMs);
  return () => {
    clearInterval(timer);
  };
};
