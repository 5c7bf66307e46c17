/** What every route finds in its context. */
import type { HttpBindings } from '@hono/node-server';

export interface GatewayEnv {
  Bindings: HttpBindings;
  Variables: { tenant: string; requestId: string };
}
