/** When an attempt learns of what the user has said while it runs. */
import assert from 'node:assert/strict';
import type { World } from './world.ts';

/** Resolves once the attempt of this response knows of its steer: at once where it has the head start, else by its next beat. */
export function steerHeard(world: World, id: string): Promise<void> {
  const attempt = world.workers[0]?.attempts.get(world.ownId(id));
  assert.ok(attempt);
  const steer = attempt.steer.bind(attempt);
  const { promise, resolve } = Promise.withResolvers<void>();
  Object.assign(attempt, {
    steer: () => {
      steer();
      resolve();
    },
  });
  return promise;
}
