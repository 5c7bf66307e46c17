/** What `show` reads of a turn's timeline: as the gateway tells it, or as it stands in an exported file. */
import { z } from 'zod';

const usage = z.object({
  input_tokens: z.number(),
  input_tokens_details: z.object({ cached_tokens: z.number() }).optional(),
  output_tokens: z.number(),
  total_tokens: z.number(),
  cost_usd: z.number().optional(),
});

const attempt = z.object({
  attempt: z.number(),
  requested_at: z.string(),
  sent_at: z.string().optional(),
  headers_at: z.string().optional(),
  first_event_at: z.string().optional(),
  finished_at: z.string().optional(),
  ended_at: z.string().nullable(),
  phase: z.string().optional(),
  outcome: z.string(),
  code: z.string().optional(),
  detail: z.string().optional(),
  message: z.string().optional(),
  causes: z.array(z.object({ name: z.string(), code: z.string().optional(), message: z.string() })).optional(),
  wait_ms: z.number().optional(),
  retry: z
    .object({
      asked_again: z.boolean(),
      reason: z.string(),
      asked_by: z.string().optional(),
      wait_ms: z.number().optional(),
      requests_left: z.number(),
    })
    .optional(),
  usage: usage.nullish(),
  provider_request_id: z.string().optional(),
  provider_response_id: z.string().optional(),
  reattached: z.array(z.object({ at: z.string(), reason: z.string() })).optional(),
  worker: z.string().optional(),
  epoch: z.number().optional(),
  last_event: z.number().optional(),
  viewers: z.array(z.object({ viewer: z.number(), from_event: z.number(), last_event: z.number().nullable() })).optional(),
});

const approval = {
  approved: z.boolean().optional(),
  answered_by: z.string().optional(),
  answered_at: z.string().optional(),
};

const call = z.object({
  name: z.string(),
  server_label: z.string(),
  call_id: z.string(),
  arguments: z.string().optional(),
  approval: z.object({ request_id: z.string(), asked_by: z.string().optional(), asked_at: z.string().optional(), ...approval }).optional(),
  runs: z.number(),
  started_at: z.string().nullable(),
  ended_at: z.string().nullable(),
  outcome: z.string(),
  attempts: z.array(
    z.object({ started_at: z.string(), ended_at: z.string().nullable(), outcome: z.string(), worker: z.string().optional() }),
  ),
  result: z.string().optional(),
  result_preview: z.string().optional(),
  result_bytes: z.number().optional(),
  progress: z.string().optional(),
  turn: z.string().optional(),
  usage: usage.optional(),
});

export const timelineSchema = z.object({
  id: z.string(),
  session: z.string().nullable(),
  parent: z.object({ id: z.string() }).optional(),
  status: z.string(),
  model: z.string(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.object({ reason: z.string() }).optional(),
  asked_model: z.string().optional(),
  workflow_id: z.string().nullable(),
  run_id: z.string().nullable(),
  created_at: z.string(),
  ready_at: z.string().optional(),
  cancel_requested_at: z.string().optional(),
  settled_at: z.string().nullable(),
  steps: z.array(
    z.union([
      z.object({ step: z.number(), kind: z.enum(['model', 'compaction']), attempts: z.array(attempt) }),
      z.object({ step: z.number(), kind: z.literal('tools'), calls: z.array(call) }),
    ]),
  ),
  approvals: z
    .array(z.object({ id: z.string(), name: z.string(), arguments: z.string(), asked_at: z.string().nullable(), ...approval }))
    .optional(),
  journal: z.object({ epoch: z.number(), last_event: z.number() }).nullish(),
  viewers: z
    .array(
      z.object({
        viewer: z.number(),
        protocol: z.string(),
        opened_at: z.string(),
        from_event: z.number(),
        last_event: z.number().nullable(),
        last_at: z.string().optional(),
        closed_at: z.string().optional(),
        end: z.string(),
      }),
    )
    .default([]),
  usage: usage.nullable(),
  lost_usage: usage.nullable(),
  retry_at: z.string().optional(),
  output: z.array(z.looseObject({ type: z.string() })).nullable(),
  input: z.array(z.object({ type: z.string(), role: z.string().optional(), text: z.string() })).optional(),
  input_items: z.number().optional(),
  events: z.array(z.looseObject({ at: z.string(), type: z.string() })).optional(),
  temporal: z
    .union([
      z.object({
        events: z.array(
          z.object({
            id: z.number(),
            type: z.string(),
            at: z.string(),
            activity: z.string().optional(),
            attempt: z.number().optional(),
            failure: z.string().optional(),
          }),
        ),
        complete: z.boolean().default(true),
      }),
      z.object({ missing: z.string() }),
    ])
    .optional(),
});

export type ShownTimeline = z.infer<typeof timelineSchema>;
export type ShownStep = ShownTimeline['steps'][number];
export type ShownAttempt = z.infer<typeof attempt>;
export type ShownCall = z.infer<typeof call>;
export type ShownUsage = z.infer<typeof usage>;
