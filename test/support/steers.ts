/** When an attempt learns of what the user has said while it runs. */
import assert from 'node:assert/strict';
import type { World } from './world.ts';

/** `heard` resolves once the attempt of this response knows of its steer: at once where it has the head start, else by its next beat. */
export async function watchSteer(world: World, id: string): Promise<{ readonly heard: Promise<void> }> {
  const attempt = world.workers[0]?.attempts.get(await world.ownId(id));
  assert.ok(attempt);
  const steer = attempt.steer.bind(attempt);
  const { promise, resolve } = Promise.withResolvers<void>();
  Object.assign(attempt, {
    steer: () => {
      steer();
      resolve();
    },
  });
  return { heard: promise };
}
