/**
 * A turn in a file: all that the database and Temporal have of it, for whoever looks at it, replays it or runs it again
 * elsewhere. Its keys are described in `docs/bundle.md`. Keys that are not in the schema pass: a newer turnkeep may write them.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export const bundleFormat = 'turnkeep.turn';
export const bundleVersion = 1;

const milliseconds = z.number().nullable();
const usage = z.looseObject({ input_tokens: z.number(), output_tokens: z.number(), total_tokens: z.number() });
const item = z.looseObject({ type: z.string() });

/** What the database has of the turn itself, and `GET /turns/{id}` does not tell. */
const turn = z.looseObject({
  id: z.string(),
  public_id: z.string(),
  kind: z.enum(['response', 'items']),
  session: z.string().nullable(),
  previous: z.string().nullable(),
  replaces: z.string().nullable(),
  parent: z.looseObject({ turn: z.string(), number: z.int() }).nullable(),
  status: z.string(),
  settings: z.looseObject({ model: z.string() }),
  input_count: z.int(),
  brings_outputs: z.boolean(),
  is_stored: z.boolean(),
  created_at_ms: z.number(),
  ready_at_ms: milliseconds,
  cancel_requested_at_ms: milliseconds,
  settled_at_ms: milliseconds,
  error_code: z.string().nullable(),
  retry_at_ms: milliseconds,
  usage: usage.nullable(),
  workflow_id: z.string().nullable(),
  run_id: z.string().nullable(),
  owner_run_id: z.string().nullable(),
  erased_by: z.enum(['owner', 'retention']).nullable(),
});

const attempt = z.looseObject({
  step: z.int(),
  attempt: z.int(),
  requested_at_ms: z.number(),
  first_event_at_ms: z.number().optional(),
  ended_at_ms: z.number().optional(),
  outcome: z.string().optional(),
  code: z.string().optional(),
  detail: z.string().optional(),
  message: z.string().optional(),
  wait_ms: z.number().optional(),
  facts: z
    .looseObject({
      sent_at_ms: z.number().optional(),
      headers_at_ms: z.number().optional(),
      finished_at_ms: z.number().optional(),
      causes: z.array(z.looseObject({ name: z.string(), code: z.string().optional(), message: z.string() })).optional(),
      retry: z.string().optional(),
    })
    .optional(),
  epoch: z.int().optional(),
  run_id: z.string().optional(),
  last_seq: z.int().optional(),
  provider_request_id: z.string().optional(),
  holder: z.string().optional(),
  usage: usage.optional(),
  spent: z.looseObject({}).optional(),
  kept_response: z.looseObject({ id: z.string(), after: z.int() }).optional(),
  reattachments: z.array(z.looseObject({ at_ms: z.number(), after: z.int().optional(), reason: z.string() })).optional(),
});

const call = z.looseObject({
  number: z.int(),
  step: z.int(),
  position: z.int().nullable(),
  server_label: z.string(),
  name: z.string(),
  arguments: z.string(),
  origin: z.looseObject({ call_id: z.string() }),
  approval_request_id: z.string().optional(),
  runs: z.int(),
  attempts: z
    .array(
      z.looseObject({
        started_at_ms: z.number(),
        ended_at_ms: z.number().optional(),
        outcome: z.string().optional(),
        holder: z.string().optional(),
      }),
    )
    .optional(),
  started_at_ms: z.number().optional(),
  ended_at_ms: z.number().optional(),
  outcome: z.string().optional(),
  progress: z.string().optional(),
  usage: usage.optional(),
  result: z.string().nullable(),
});

const earlierTurn = z.looseObject({
  status: z.string(),
  error_code: z.string().nullable(),
  model: z.string().nullable(),
  input_count: z.int(),
  is_refused: z.boolean().optional(),
  items: z.array(item),
});

const recording = z.looseObject({ step: z.int(), attempt: z.int(), epoch: z.int(), part: z.int(), data: z.base64() });

const temporal = z.union([
  z.object({ missing: z.string() }),
  z.object({
    workflow_id: z.string(),
    run_ids: z.array(z.string()),
    histories: z.array(z.object({ events: z.array(z.looseObject({})) })),
    runs_left_out: z.int().optional(),
  }),
]);

export const bundleSchema = z.looseObject({
  format: z.literal(bundleFormat),
  version: z.literal(bundleVersion),
  exported_at: z.iso.datetime(),
  turnkeep: z.string(),
  redacted: z.boolean(),
  timeline: z.looseObject({ id: z.string(), status: z.string() }),
  turn,
  transcript: z.array(earlierTurn),
  input: z.array(item),
  attempts: z.array(attempt),
  calls: z.array(call),
  journal: z.array(z.looseObject({ seq: z.int(), type: z.string(), data: z.string() })),
  recordings: z.array(recording),
  recordings_left_out: z.int().optional(),
  temporal,
});

export type Bundle = z.infer<typeof bundleSchema>;

/** Of one that is read from a file or an answer. The message is for a person: it names what is wrong, and what to do. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
}

/** @throws {BundleError} where the file cannot be read, or is no bundle that this version reads */
export async function readBundle(file: string): Promise<Bundle> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new BundleError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return parseBundle(text, file);
}

/**
 * @param name of where the text comes from, for the message
 * @throws {BundleError} as `readBundle`
 */
export function parseBundle(text: string, name: string): Bundle {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new BundleError(`${name} is not whole JSON: export the turn again (turnkeep export)`, { cause: error });
  }
  const { format, version } = (typeof value === 'object' && value !== null ? value : {}) as { format?: unknown; version?: unknown };
  if (format !== bundleFormat) {
    throw new BundleError(`${name} is no exported turn: its format is not "${bundleFormat}". turnkeep export makes one`);
  }
  if (version !== bundleVersion) {
    throw new BundleError(
      `${name} has the version ${JSON.stringify(version)}: this turnkeep reads ${bundleVersion}. Use the turnkeep that wrote it, or export the turn again`,
    );
  }
  const result = bundleSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BundleError(`${name} is no whole bundle: ${fieldOf(issue?.path ?? [])}: ${issue?.message ?? 'invalid'}. Export the turn again`);
}

/** `journal[3].seq` */
function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => `${text}${typeof part === 'number' ? `[${part}]` : `${text && '.'}${String(part)}`}`, '');
}
