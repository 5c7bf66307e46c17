/** `/openapi.json`: the API's description, made of the routes' own. */
import { z } from 'zod';
import { webhookEvents } from '../../domain/turn/webhook.ts';
import { errorSchema, webhookSchema } from './response-schemas.ts';
import { type ResponseSpec, type RouteSpec, scopeOf } from './route.ts';

export interface OpenApiOptions {
  readonly version: string;
  readonly isKeyNeeded: boolean;
  readonly routes: readonly { readonly prefix: string; readonly hasKey: boolean; readonly specs: readonly RouteSpec[] }[];
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** An OpenAPI 3.1 document. */
export function openApiDocument({ version, isKeyNeeded, routes }: OpenApiOptions): object {
  const paths: { [path: string]: { [method: string]: object } } = {};
  for (const { prefix, hasKey, specs } of routes) {
    for (const spec of specs) {
      const operations = (paths[`${prefix}${spec.path}`] ??= {});
      operations[spec.method] = operationOf(spec, isKeyNeeded && hasKey);
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'turnkeep',
      version,
      description:
        "A durable OpenAI Responses API. The routes under `/v1` answer without `/v1` too. Events are OpenAI's own; errors have OpenAI's form.",
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    webhooks: Object.fromEntries(webhookEvents.map((event) => [event, { post: webhookOf(event) }])),
    components: {
      schemas: { Error: schemaOf(errorSchema, 'output') },
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'One of TURNKEEP_API_KEYS, or of `turnkeep keys` with the scope that the operation names.',
        },
      },
    },
  };
}

/** What an endpoint of the configuration gets: see `domain/turn/webhook.ts`. */
function webhookOf(event: string): object {
  const status = event.replace('response.', '');
  const header = (name: string, description: string): object => {
    return { name, in: 'header', required: true, schema: { type: 'string' }, description };
  };
  const schema = schemaOf(webhookSchema.extend({ type: z.literal(event) }), 'output');
  return {
    tags: ['Webhooks'],
    summary: `A background response has ended: ${status}`,
    description: 'Signed by the Standard Webhooks specification. Sent again until it is answered 2xx, for 72 hours.',
    parameters: [
      header('webhook-id', "The event's id, the same in every attempt."),
      header('webhook-timestamp', "The attempt's, in seconds since the epoch."),
      header('webhook-signature', '`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; several are separated by blanks.'),
    ],
    requestBody: { required: true, content: { 'application/json': { schema } } },
    responses: { '2XX': { description: 'Taken.' }, 410: { description: 'Not wanted: it is not sent again.' } },
  };
}

function operationOf(spec: RouteSpec, isKeyNeeded: boolean): object {
  const { tag, summary, description, body, isBodyOptional = false, responses, method, path } = spec;
  return {
    operationId: `${method}${path === '/' ? 'Root' : path.replaceAll(/[^a-z]+([a-z]?)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    parameters: parametersOf(spec),
    ...(body === undefined
      ? {}
      : { requestBody: { required: !isBodyOptional, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(responses).map(([status, response]) => [status, responseOf(response)])),
      default: responseOf({ description: 'An error.', schema: errorSchema }),
    },
    ...(isKeyNeeded ? { security: [{ key: [scopeOf(spec)] }] } : {}),
  };
}

function parametersOf({ path, query, headers }: RouteSpec): object[] {
  const names = Array.from(path.matchAll(/\{([a-z]+)\}/g), ([, name = '']) => name);
  return [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string', minLength: 1 } })),
    // An object's members are parameters of their own: `name[key]=value`.
    ...fieldsOf(query).map((field) => ({
      in: 'query',
      ...field,
      ...(field.schema.type === 'object' ? { style: 'deepObject', explode: true } : {}),
    })),
    ...fieldsOf(headers).map((field) => ({ in: 'header', ...field })),
  ];
}

function fieldsOf(schema: z.ZodType | undefined): { name: string; required: boolean; schema: JsonSchema; description?: string }[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input');
  return Object.entries(properties).map(([name, property]) => {
    const field: JsonSchema = typeof property === 'object' ? property : {};
    const { description } = field;
    return { name, required: required.includes(name), schema: field, ...(description === undefined ? {} : { description }) };
  });
}

function responseOf({ description, schema, mediaTypes = schema === undefined ? [] : ['application/json'], headers }: ResponseSpec): object {
  const described = Object.entries({ 'x-request-id': 'Under which the log has this request.', ...headers }).map(([name, text]) => [
    name,
    { description: text, schema: { type: 'string' } },
  ]);
  const content = mediaTypes.map((type) => [type, contentOf(type, schema)]);
  return {
    description,
    headers: Object.fromEntries(described) as object,
    ...(content.length === 0 ? {} : { content: Object.fromEntries(content) as object }),
  };
}

/** OpenAPI 3.1 cannot describe a stream: a schema would be of one event. */
function contentOf(type: string, schema: z.ZodType | undefined): object {
  if (type === 'text/event-stream') return {};
  return { schema: type === 'application/json' ? jsonOf(schema) : { type: 'string' } };
}

function jsonOf(schema: z.ZodType | undefined): JsonSchema {
  if (schema === errorSchema) return { $ref: '#/components/schemas/Error' };
  return schema === undefined ? { type: 'object' } : schemaOf(schema, 'output');
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return rest;
}
