/** What every route finds in its context. */
import type { HttpBindings } from '@hono/node-server';

export interface GatewayEnv {
  Bindings: HttpBindings;
  Variables: {
    tenant: string;
    requestId: string;
    /** For the log: what the request is about, as far as it is known. Routes add to it. */
    ids: { response?: string; conversation?: string };
  };
}
