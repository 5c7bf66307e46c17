/** A route as data: the same schemas validate its requests and describe it in `/openapi.json`. */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import type { Scope } from '../../domain/api-key.ts';
import { readJson } from './body.ts';
import type { BodyBudget, BodyHold } from './body-budget.ts';
import type { Place } from './fair-queue.ts';
import { jsonLimits } from './json-scanner.ts';
import { type Misnamed, refuseMisnamed } from './misnamed.ts';
import { type LongLists, validate, validateBody } from './validate.ts';

/** What the handler of a route finds in its context. */
export interface GatewayEnv {
  Bindings: HttpBindings;
  Variables: {
    tenant: string;
    /** Of a key of the database. */
    keyId: string | undefined;
    requestId: string;
    /** ms since the epoch. */
    receivedAtMs: number;
    /** Aborts when the client goes before it has the response to its end. */
    closed: AbortSignal;
    /** The response is a stream of events. */
    isStream: boolean;
    /** The request has become a WebSocket. */
    upgraded: { isCut: boolean } | undefined;
    /** The route of a request that no handler took, for the log: its path is known, its method is not. */
    route: string | undefined;
    /** What the request's body takes of the budget for bodies: released once the body is needed no more. */
    body: BodyHold | undefined;
    /** Among the requests that are being taken in: released once the request is accepted or refused. */
    place: Place | undefined;
    /** The response and the conversation that the request is about, for the log. Routes add what they learn. */
    ids: { response?: string; conversation?: string };
  };
}

/** One response of a route, as `/openapi.json` describes it. */
export interface ResponseSpec {
  readonly description: string;
  /** Absent: there is no body, or none that a schema describes. */
  readonly schema?: z.ZodType;
  /** JSON where there is a schema and nothing else is named. */
  readonly mediaTypes?: readonly string[];
  /** Descriptions by header name. */
  readonly headers?: { readonly [name: string]: string };
}

export interface RouteSpec<
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Headers extends z.ZodObject = z.ZodObject,
> {
  readonly method: 'get' | 'post' | 'delete';
  /** In OpenAPI's notation: `/responses/{id}`. */
  readonly path: string;
  readonly tag: string;
  /** What a key must be good for: to `read` where the method is `get`, to `write` elsewhere, if nothing is said. */
  readonly scope?: Scope;
  readonly summary: string;
  readonly description?: string;
  readonly query?: Query;
  /** Names in lower case. Headers that are not named here pass. */
  readonly headers?: Headers;
  readonly body?: Body;
  /** The body's lists that may hold thousands of items, and the schema of an item. */
  readonly lists?: LongLists;
  /** Fields of the body that other APIs call otherwise. */
  readonly misnamed?: Misnamed;
  /** Its requests wait for their tenant's turn to be taken in: see `FairQueue`. */
  readonly makesTurn?: boolean;
  /** A request without a body is read as `{}`: OpenAI's client sends none where no field is set. */
  readonly isBodyOptional?: boolean;
  readonly responses: { readonly [status: number]: ResponseSpec };
}

export interface ValidRequest<Query extends z.ZodType, Body extends z.ZodType, Headers extends z.ZodType> {
  readonly query: z.output<Query>;
  readonly body: z.output<Body>;
  readonly headers: z.output<Headers>;
}

type Handler<Query extends z.ZodType, Body extends z.ZodType, Headers extends z.ZodType> = (
  c: Context<GatewayEnv>,
  valid: ValidRequest<Query, Body, Headers>,
) => Response | Promise<Response>;

export interface RoutesOptions {
  /** Called before a request's query, headers and body are read; rejects with an ApiError where it may not be made. */
  readonly admit?: (c: Context<GatewayEnv>, scope: Scope) => Promise<void>;
  /** For the bodies of all requests. */
  readonly budget?: BodyBudget;
  /** A place among the requests that are being taken in; at once, without a promise, where it need not be waited for. */
  readonly enter?: (c: Context<GatewayEnv>) => Place | Promise<Place>;
  /** Of a list that is a member of a body. */
  readonly maxInputItems?: number;
}

/** A header of the request, as Node has it: Hono would copy them all for a look at one. @param name in lower case */
export function headerOf(c: Context<GatewayEnv>, name: string): string | undefined {
  const value = c.env.incoming.headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
}

/** @param path in OpenAPI's notation */
export function honoPath(path: string): string {
  return path.replaceAll(/\{([a-z]+)\}/g, ':$1');
}

/** The request is accepted or refused: what it took of what all share is free. Twice is harmless. */
export function release(c: Context<GatewayEnv>): void {
  c.get('body')?.release();
  c.get('place')?.release();
}

export function scopeOf({ scope, method }: Pick<RouteSpec, 'scope' | 'method'>): Scope {
  return scope ?? (method === 'get' ? 'read' : 'write');
}

export class Routes {
  readonly #app: Hono<GatewayEnv>;
  readonly #options: RoutesOptions;
  readonly #specs: RouteSpec[] = [];

  constructor(app: Hono<GatewayEnv>, options: RoutesOptions = {}) {
    this.#app = app;
    this.#options = options;
  }

  get specs(): readonly RouteSpec[] {
    return this.#specs;
  }

  add<Query extends z.ZodType = z.ZodUndefined, Body extends z.ZodType = z.ZodUndefined, Headers extends z.ZodObject = z.ZodObject>(
    spec: RouteSpec<Query, Body, Headers>,
    handler: Handler<Query, Body, Headers>,
  ): void {
    this.#specs.push(spec);
    this.#app.on(spec.method.toUpperCase(), honoPath(spec.path), async (c) => {
      await this.#options.admit?.(c, scopeOf(spec));
      const query = spec.query === undefined ? undefined : validate(spec.query, queryOf(c));
      const headers = spec.headers === undefined ? {} : validate(spec.headers, c.env.incoming.headers);
      try {
        const body = spec.body === undefined ? undefined : await this.#readBody(c, spec, spec.body);
        return await handler(c, {
          query: query as z.output<Query>,
          body: body as z.output<Body>,
          headers: headers as z.output<Headers>,
        });
      } finally {
        release(c);
      }
    });
  }

  async #readBody(
    c: Context<GatewayEnv>,
    { isBodyOptional = false, lists = {}, misnamed = {}, makesTurn = false }: RouteSpec,
    schema: z.ZodType,
  ): Promise<unknown> {
    const { headers } = c.env.incoming;
    const isEmpty = (headers['content-length'] ?? '0') === '0' && headers['transfer-encoding'] === undefined;
    const admit = makesTurn ? (): Promise<void> | undefined => this.#enter(c) : undefined;
    if (isEmpty && isBodyOptional) {
      await admit?.();
      return validate(schema, {});
    }
    const { budget, maxInputItems } = this.#options;
    const hold = budget?.open(c.get('tenant'));
    c.set('body', hold);
    const json = maxInputItems === undefined ? jsonLimits : { ...jsonLimits, maxItems: maxInputItems };
    const body = await readJson(c.env.incoming, {
      json,
      ...(hold === undefined ? {} : { hold }),
      ...(admit === undefined ? {} : { admit }),
    });
    refuseMisnamed(misnamed, body);
    return validateBody(schema, lists, body);
  }

  #enter(c: Context<GatewayEnv>): Promise<void> | undefined {
    const entered = this.#options.enter?.(c);
    if (!(entered instanceof Promise)) {
      c.set('place', entered);
      return undefined;
    }
    return entered.then((place) => {
      c.set('place', place);
    });
  }
}

type QueryValue = string | string[];

/**
 * A parameter that occurs once is a string, a repeated one a list. `name[]`, as openai-node writes a list, is `name`;
 * `name[key]`, as it writes an object, is the member `key` of `name`.
 */
function queryOf(c: Context<GatewayEnv>): Record<string, QueryValue | Record<string, QueryValue>> {
  const lists = new Map<string, string[]>();
  for (const [name, values] of Object.entries(c.req.queries())) {
    const plain = name.replace(/\[\]$/, '');
    lists.set(plain, [...(lists.get(plain) ?? []), ...values]);
  }
  const objects = new Map<string, [string, QueryValue][]>();
  const values = Array.from(lists, ([name, list]): [string, QueryValue] => [name, list.length === 1 ? (list[0] ?? '') : list]);
  const plain = values.filter(([name, value]) => {
    const [, object, key] = /^([^[\]]+)\[([^\]]+)\]$/.exec(name) ?? [];
    if (object === undefined || key === undefined) return true;
    objects.set(object, [...(objects.get(object) ?? []), [key, value]]);
    return false;
  });
  return Object.fromEntries([...plain, ...Array.from(objects, ([name, members]) => [name, Object.fromEntries(members)] as const)]);
}
