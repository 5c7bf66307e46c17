/** What the journal's writer asks of Postgres, for many turns at once. */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { RecordingPart } from '../../domain/turn/recording.ts';
import type { Append } from '../ports/journal.ts';
import { storable } from './session.ts';

/** One or more appends of one turn, which are written together or not at all. */
export interface Write {
  readonly turn: string;
  readonly epoch: number;
  readonly rows: readonly JournalRow[];
  readonly recording: readonly RecordingPart[];
  readonly starts?: Append['starts'] | undefined;
}

interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/**
 * Heads are locked in the order of their turns, as those who renew leases lock them: else the two could wait for each other.
 * Whatever belongs to a write is joined to its head by `at`, the write's number from 1: of a head that its fence did not let
 * move, nothing is written.
 */
const append = (schema: string): string => `
  WITH locked AS MATERIALIZED (
    SELECT turn FROM ${schema}.journal_head WHERE turn = ANY ($1::text[]) ORDER BY turn FOR UPDATE
  ), moved AS (
    UPDATE ${schema}.journal_head AS head SET next_seq = next_seq + write.rows
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::int[]) WITH ORDINALITY AS write (turn, epoch, first, rows, at)
      JOIN locked ON locked.turn = write.turn
    WHERE head.turn = write.turn AND head.epoch = write.epoch AND sealed = 0
      AND (write.rows = 0 OR next_seq = write.first)
    RETURNING write.at, head.turn
  ), written AS (
    INSERT INTO ${schema}.journal (turn, seq, type, data)
    SELECT moved.turn, row.seq, row.type, row.data
    FROM unnest($5::int[], $6::bigint[], $7::text[], $8::text[]) AS row (at, seq, type, data) JOIN moved ON moved.at = row.at
  ), recorded AS (
    INSERT INTO ${schema}.recordings (turn, epoch, part, step, attempt, data)
    SELECT moved.turn, part.epoch, part.part, part.step, part.attempt, part.data
    FROM unnest($9::int[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bytea[])
      AS part (at, epoch, part, step, attempt, data) JOIN moved ON moved.at = part.at
    ON CONFLICT DO NOTHING
  ), started AS (
    UPDATE ${schema}.attempts AS attempt
    SET first_event_at = coalesce($19::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)), provider_request_id = start.provider_request_id
    FROM unnest($15::int[], $16::bigint[], $17::bigint[], $18::text[]) AS start (at, step, attempt, provider_request_id)
      JOIN moved ON moved.at = start.at
    WHERE attempt.turn = moved.turn AND attempt.step = start.step AND attempt.attempt = start.attempt
  )
  SELECT at::int FROM moved`;

/**
 * @param schema where the tables are: said in each statement, since a pooler keeps no setting of a connection
 * @param nowMs when the steps that begin with these writes have begun; undefined: by the clock of the server
 */
export function appendStatement(schema: string, writes: readonly Write[], nowMs: number | undefined): Statement {
  const rows = writes.flatMap((write, at) => write.rows.map((row) => ({ at: at + 1, ...row })));
  const parts = writes.flatMap((write, at) => write.recording.map((part) => ({ ...part, at: at + 1 })));
  const starts = writes.flatMap(({ starts }, at) => (starts === undefined ? [] : [{ ...starts, at: at + 1 }]));
  return {
    name: 'append_journals',
    text: append(schema),
    values: [
      writes.map(({ turn }) => turn),
      writes.map(({ epoch }) => epoch),
      writes.map(({ rows }) => rows[0]?.seq ?? 0),
      writes.map(({ rows }) => rows.length),
      rows.map(({ at }) => at),
      rows.map(({ seq }) => seq),
      rows.map(({ type }) => storable(type)),
      rows.map(({ data }) => data),
      parts.map(({ at }) => at),
      parts.map(({ epoch }) => epoch),
      parts.map(({ part }) => part),
      parts.map(({ step }) => step),
      parts.map(({ attempt }) => attempt),
      parts.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
      starts.map(({ at }) => at),
      starts.map(({ step }) => step),
      starts.map(({ attempt }) => attempt),
      starts.map(({ providerRequestId }) => providerRequestId ?? null),
      nowMs ?? null,
    ],
  };
}

const standing = (schema: string): string => `
  SELECT row.at FROM unnest($1::int[], $2::text[], $3::bigint[], $4::text[]) AS row (at, turn, seq, data)
    JOIN ${schema}.journal ON journal.turn = row.turn AND journal.seq = row.seq
  WHERE journal.data = row.data GROUP BY row.at HAVING count(*) = ($5::int[])[row.at]`;

/** Asks which of these writes have all their rows in the journal, byte for byte. */
export function standingStatement(schema: string, writes: readonly Write[]): Statement {
  const rows = writes.flatMap(({ turn, rows }, at) => rows.map(({ seq, data }) => ({ at: at + 1, turn, seq, data })));
  return {
    name: 'standing_journals',
    text: standing(schema),
    values: [
      rows.map(({ at }) => at),
      rows.map(({ turn }) => turn),
      rows.map(({ seq }) => seq),
      rows.map(({ data }) => data),
      writes.map(({ rows }) => rows.length),
    ],
  };
}
