/**
 * A route as data: what it takes is validated by the same schemas that describe it in `/openapi.json`.
 */
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { readJson } from './body.ts';
import type { GatewayEnv } from './env.ts';
import { validationError } from './errors.ts';

export interface ResponseSpec {
  readonly description: string;
  /** Absent: there is no body, or none that a schema describes. */
  readonly schema?: z.ZodType;
  /** What it is when it is not JSON. */
  readonly mediaTypes?: readonly string[];
  /** Of the answer, by name, in words. */
  readonly headers?: { readonly [name: string]: string };
}

export interface RouteSpec<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  readonly method: 'get' | 'post' | 'delete';
  /** As OpenAPI writes it: `/responses/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly query?: Query;
  /** Header names in lower case. Others pass. */
  readonly headers?: z.ZodObject;
  readonly body?: Body;
  /** A request without any body counts as `{}`: OpenAI's client sends none where nothing is asked for. */
  readonly isBodyOptional?: boolean;
  readonly answers: { readonly [status: number]: ResponseSpec };
}

export interface Valid<Query extends z.ZodType, Body extends z.ZodType> {
  readonly query: z.output<Query>;
  readonly body: z.output<Body>;
}

type Handler<Query extends z.ZodType, Body extends z.ZodType> = (
  c: Context<GatewayEnv>,
  valid: Valid<Query, Body>,
) => Response | Promise<Response>;

export class Routes {
  readonly #app: Hono<GatewayEnv>;
  readonly #admit: (c: Context<GatewayEnv>) => void;
  readonly #specs: RouteSpec[] = [];

  /** @param admit lets a request in before anything of it is read; it throws what keeps it out */
  constructor(app: Hono<GatewayEnv>, admit: (c: Context<GatewayEnv>) => void = () => undefined) {
    this.#app = app;
    this.#admit = admit;
  }

  get specs(): readonly RouteSpec[] {
    return this.#specs;
  }

  add<Query extends z.ZodType = z.ZodUndefined, Body extends z.ZodType = z.ZodUndefined>(
    spec: RouteSpec<Query, Body>,
    handler: Handler<Query, Body>,
  ): void {
    this.#specs.push(spec);
    const path = spec.path.replaceAll(/\{([a-z]+)\}/g, ':$1');
    this.#app.on(spec.method.toUpperCase(), path, async (c) => {
      this.#admit(c);
      const query = check(spec.query ?? z.undefined(), spec.query === undefined ? undefined : queryOf(c));
      if (spec.headers !== undefined) check(spec.headers, c.req.header());
      const body = spec.body === undefined ? undefined : await bodyOf(c, spec.isBodyOptional ?? false);
      return handler(c, {
        query: query as z.output<Query>,
        body: check(spec.body ?? z.undefined(), body) as z.output<Body>,
      });
    });
  }
}

/** @throws ApiError 400 that names what is wrong */
function check(schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (!result.success) throw validationError(result.error);
  return result.data;
}

/** A parameter that is there once is a string, one that is repeated a list. */
function queryOf(c: Context<GatewayEnv>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}

async function bodyOf(c: Context<GatewayEnv>, isOptional: boolean): Promise<unknown> {
  const isEmpty = (c.req.header('content-length') ?? '0') === '0' && c.req.header('transfer-encoding') === undefined;
  return isEmpty && isOptional ? {} : readJson(c.env.incoming);
}
