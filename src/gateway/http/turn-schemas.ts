/** Schemas of what is told of turns, for `/openapi.json` only. */
import { z } from 'zod';
import { endingReasons, retryingReasons } from '../../domain/turn/retry-policy.ts';
import { attemptPhases } from '../../domain/turn/timeline-attempts.ts';
import { turnMoments } from '../../domain/turn/timeline-events.ts';
import { viewerEnds, viewerProtocols } from '../../domain/turn/viewer.ts';
import { webhookEvents } from '../../domain/turn/webhook.ts';
import { itemSchema, responseSchema, time } from './response-schemas.ts';

const usageSchema = z.looseObject({ input_tokens: z.int(), output_tokens: z.int(), total_tokens: z.int() });

const pricedUsage = usageSchema.extend({
  cost_usd: z.number().optional().meta({ description: 'By `prices` of the configuration, where the model has one.' }),
});

/** Of a request for an approval. */
const answer = {
  answered: z.literal(true).optional(),
  approved: z.boolean().optional(),
  answered_by: z.string().optional().meta({ description: 'The turn whose input answered it.' }),
  answered_at: time.optional(),
};

const attemptSchema = z.strictObject({
  attempt: z.int().min(1),
  requested_at: time,
  sent_at: time.optional().meta({ description: 'The request was written to a connection.' }),
  headers_at: time.optional().meta({ description: 'The headers of the response were here.' }),
  first_event_at: time.optional(),
  finished_at: time.optional().meta({ description: 'The provider stated its finish.' }),
  ended_at: time.nullable(),
  phase: z
    .enum(attemptPhases)
    .meta({ description: 'How far it came. `requested`: it was booked, and the process that ran it has told nothing more.' }),
  outcome: z.enum(['running', 'completed', 'incomplete', 'cancelled', 'failed', 'lost']),
  code: z.string().optional(),
  detail: z.string().optional(),
  message: z.string().optional().meta({ description: 'The own words of the provider, keys removed.' }),
  causes: z
    .array(z.strictObject({ name: z.string(), code: z.string().optional(), message: z.string() }))
    .optional()
    .meta({ description: 'The errors behind the failure, the outermost first; no keys, and nothing that was sent or received.' }),
  wait_ms: z.int().optional().meta({ description: 'How long the next attempt waits.' }),
  retry: z
    .strictObject({
      asked_again: z.boolean(),
      reason: z.enum([...retryingReasons, ...endingReasons, 'worker_lost', 'cancelled']),
      asked_by: z.enum(['turnkeep', 'provider']).optional().meta({ description: 'Whose wait it is: 1 s and 2 s, or `Retry-After`.' }),
      wait_ms: z.int().optional(),
      requests_left: z.int(),
    })
    .optional()
    .meta({ description: 'Of one that failed or was lost: did another request follow, and why?' }),
  usage: pricedUsage.nullable().optional(),
  provider_request_id: z.string().optional(),
  provider_response_id: z.string().optional().meta({ description: 'Of an answer that its provider keeps.' }),
  reattached: z
    .array(z.strictObject({ at: time, after: z.int().optional(), reason: z.string() }))
    .optional()
    .meta({ description: 'When such an answer was read on.' }),
  worker: z.string().optional().meta({ description: 'The process that made the request.' }),
  epoch: z.int().optional().meta({ description: 'Raised by each process that takes the turn over.' }),
  run_id: z.string().optional().meta({ description: "The run of Temporal's that asked for it; absent where none did (a head start)." }),
  last_event: z.int().optional().meta({ description: 'The last event of the turn when it ended, before what its end added.' }),
  viewers: z
    .array(z.strictObject({ viewer: z.int(), from_event: z.int(), last_event: z.int().nullable() }))
    .optional()
    .meta({ description: 'Of one that broke off: what those had seen who were there.' }),
});

const toolCallSchema = z.strictObject({
  name: z.string(),
  server_label: z
    .string()
    .meta({ description: '`turnkeep`: a tool of the configuration; `agent`: another agent; else the name of an MCP server.' }),
  call_id: z.string(),
  arguments: z.string().meta({ description: 'Their beginning.' }),
  approval: z.strictObject({ request_id: z.string(), asked_by: z.string().optional(), asked_at: time.optional(), ...answer }).optional(),
  runs: z.int().meta({ description: 'How often it was begun.' }),
  started_at: time.nullable(),
  ended_at: time.nullable(),
  outcome: z.enum(['waiting', 'running', 'completed', 'failed', 'unknown', 'cut_off']),
  attempts: z.array(
    z.strictObject({
      attempt: z.int().min(1),
      started_at: time,
      ended_at: time.nullable(),
      outcome: z.enum(['running', 'completed', 'failed', 'lost', 'cut_off']),
      worker: z.string().optional().meta({ description: 'The process that ran the tool.' }),
    }),
  ),
  result: z.string().optional().meta({ description: 'Where all that it came to is: the path of `GET /turns/{id}/calls/{number}`.' }),
  result_preview: z.string().optional().meta({ description: 'Its beginning.' }),
  result_bytes: z.int().optional(),
  progress: z.string().optional(),
  turn: z.string().optional().meta({ description: 'Of a call of an agent: the id of the turn that carries it out.' }),
  usage: usageSchema.optional().meta({ description: 'Tokens of that turn, and of those that it called.' }),
});

/** What `GET /turns/{id}` tells. */
const step = z.int().meta({ description: 'The number of its request to the model; the calls that came before that have the same.' });

export const turnSchema = z.strictObject({
  id: z.string(),
  session: z.string().nullable(),
  parent: z
    .strictObject({ id: z.string(), call_id: z.string() })
    .optional()
    .meta({ description: 'The turn, and its call, that this one carries out.' }),
  status: responseSchema.shape.status,
  model: z.string(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.looseObject({ reason: z.string() }).optional().meta({ description: 'Of a response that is not whole: why.' }),
  asked_model: z.string().optional().meta({ description: 'Of an agent: the model that answers for it.' }),
  workflow_id: z.string().nullable(),
  run_id: z.string().nullable(),
  owner: z.string().optional().meta({ description: "The id of the workflow of one's own that runs it (`runTurn`)." }),
  created_at: time,
  ready_at: time.optional().meta({ description: 'When nothing of its session ran or waited before it any more.' }),
  cancel_requested_at: time.optional(),
  settled_at: time.nullable(),
  steps: z.array(
    z.union([
      z.strictObject({ step, kind: z.enum(['model', 'compaction']), started: z.boolean(), attempts: z.array(attemptSchema) }),
      z.strictObject({ step, kind: z.literal('tools'), started: z.boolean(), calls: z.array(toolCallSchema) }),
    ]),
  ),
  approvals: z
    .array(
      z.strictObject({
        id: z.string(),
        name: z.string(),
        server_label: z.string(),
        arguments: z.string(),
        asked_at: time.nullable(),
        ...answer,
      }),
    )
    .optional()
    .meta({ description: 'Those that this turn has asked for.' }),
  journal: z
    .strictObject({ epoch: z.int(), last_event: z.int() })
    .nullable()
    .meta({ description: 'The events of the turn; null: they are past retention, and so is who followed them.' }),
  viewers: z
    .array(
      z.strictObject({
        viewer: z.int(),
        protocol: z.enum(viewerProtocols),
        opened_at: time,
        from_event: z.int(),
        last_event: z.int().nullable().meta({ description: 'That the system took for it; null: none.' }),
        last_at: time.optional(),
        closed_at: time.optional(),
        end: z
          .enum([...viewerEnds, 'open'])
          .meta({ description: '`cut`: the gateway let go of it; `open`: it is there yet, or its gateway died.' }),
      }),
    )
    .meta({ description: 'Who followed the turn, the last hundred of them; noted once a second.' }),
  usage: pricedUsage.nullable().meta({
    description:
      "The response's own `usage`, with the agents that were called: of requests whose answers are in it. null: there are none, or the provider did not say.",
  }),
  lost_usage: pricedUsage
    .nullable()
    .meta({ description: 'What requests that failed have cost, which `usage` does not count; null: not known of all of them.' }),
  omitted_tools: z
    .array(z.strictObject({ param: z.string(), type: z.string(), name: z.string().optional() }))
    .optional()
    .meta({ description: 'Tools of the request that this provider cannot have: the model was not offered them.' }),
  omitted_fields: z
    .array(z.strictObject({ param: z.string(), type: z.string() }))
    .optional()
    .meta({ description: 'What else was asked for and not done, since this provider cannot: `context_management`.' }),
  retry_at: time.optional().meta({ description: 'When the provider said that it would take the request again.' }),
  webhook: z
    .strictObject({
      event_id: z.string(),
      event: z.enum(webhookEvents),
      status: z.enum(['pending', 'delivered', 'refused', 'given_up']),
      attempts: z.int(),
      last_error: z.string().nullable().meta({ description: 'Such as `500` or `ECONNREFUSED`, of the last request that failed.' }),
    })
    .optional()
    .meta({ description: 'Of a background response that has ended, where an endpoint is told of it.' }),
  output: z.array(itemSchema).nullable().meta({ description: 'What the model said so far; null: the turn is past retention.' }),
  links: z.strictObject({
    response: z.string(),
    temporal: z.string().optional().meta({ description: "The run in Temporal's UI, where its address is known." }),
  }),
});

/** What `GET /turns/{id}/timeline` tells. */
export const turnTimelineSchema = turnSchema.extend({
  input: z
    .array(z.strictObject({ type: z.string(), role: z.string().optional(), text: z.string() }))
    .meta({ description: 'The beginnings of its first items.' }),
  input_items: z.int().meta({ description: 'How many items it brought.' }),
  events: z
    .array(z.looseObject({ at: time, type: z.enum(turnMoments), step: z.int().optional(), attempt: z.int().optional() }))
    .meta({ description: 'All of it in one list, in the order of time.' }),
  temporal: z
    .union([
      z.strictObject({
        events: z.array(z.looseObject({ id: z.int(), type: z.string(), at: time })),
        complete: z.boolean().meta({ description: 'false: there are more events than are told.' }),
      }),
      z.strictObject({ missing: z.string() }),
    ])
    .meta({ description: "Temporal's own events of the run: ids, types, names of activities; no payloads." }),
});

/** A turn in `GET /turns`. */
export const listedTurnSchema = turnSchema
  .pick({ id: true, session: true, status: true, owner: true, created_at: true, settled_at: true, usage: true })
  .extend({
    model: z.string().nullable().meta({ description: 'null: an older version did not note it.' }),
    error: z
      .strictObject({ code: z.string(), message: z.string(), detail: z.string().optional() })
      .nullable()
      .meta({ description: 'The words of the provider are in `/turns/{id}`.' }),
    requests: z.int().meta({ description: 'Requests to the model so far.' }),
  });
