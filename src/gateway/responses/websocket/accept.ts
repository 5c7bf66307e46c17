/** From the messages of a connection to accepted turns: what `POST /v1/responses` does, with what the connection remembers. */
import { z } from 'zod';
import { newId } from '../../../client/ids.ts';
import { newResponse, type ResponseObject, unknownUsage } from '../../../domain/response/response.ts';
import type { TurnRow } from '../../../domain/turn/turn.ts';
import { ApiError } from '../../http/errors.ts';
import { refuseMisnamed } from '../../http/misnamed.ts';
import { validateBody } from '../../http/validate.ts';
import { acceptTurn, assertKnown, type SubmitDeps, type SubmitHeaders, type Submitter } from '../../submit/submit-turn.ts';
import { inputItem } from '../item-schema.ts';
import { responsesInput } from '../items.ts';
import { type CreateResponse, createResponse, misnamedInResponse } from '../schema.ts';
import { responseDraft } from '../settings.ts';
import { type CreateEvent, itemsOf } from './client-events.ts';
import type { Contexts, Kept } from './contexts.ts';
import { type Steer, type SteeredResponse, successorIdOf } from './steering.ts';

export interface Accepted {
  readonly type: 'accepted';
  readonly turn: TurnRow;
  /** What its connection alone will remember: it is not stored. */
  readonly kept: Kept | undefined;
}

/** Nothing is asked of the model: the response is there for later ones to go on from, on this connection. */
export interface Prepared {
  readonly type: 'prepared';
  readonly response: ResponseObject;
  readonly kept: Kept | undefined;
  /** JSON. */
  readonly events: readonly string[];
}

export interface CreateRequest {
  readonly create: CreateEvent;
  /** What the user has said while the response ran that this one continues. */
  readonly steers: readonly Steer[];
  readonly contexts: Contexts;
  /** Of the message. */
  readonly bytes: number;
}

/** @throws ApiError as `POST /v1/responses` */
export async function acceptCreate(
  submitter: Submitter,
  deps: SubmitDeps,
  headers: SubmitHeaders,
  { create, steers, contexts, bytes }: CreateRequest,
): Promise<Accepted | Prepared> {
  refuseMisnamed(misnamedInResponse, create.body);
  const steered = steers.flatMap(({ input }) => itemsOf(input));
  const { input } = create.body;
  const given = steered.length === 0 ? create.body : { ...create.body, input: [...steered, ...itemsOf(input)] };
  const request = contexts.expand(given, bytes);
  const body = (await validateBody(createResponse, { input: inputItem }, request.body)) as CreateResponse;
  const draft = { ...responseDraft(body, deps), ...(request.continues === undefined ? {} : { continues: request.continues }) };
  if (create.isGenerated) {
    const turn = await acceptTurn(submitter, deps, headers, draft);
    return { type: 'accepted', turn, kept: turn.isStored ? undefined : contexts.keep(request) };
  }
  if (draft.session !== null) {
    throw new ApiError({
      status: 400,
      param: 'generate',
      code: 'unsupported_parameter',
      message: "Unsupported 'generate': what is only prepared is not added to a conversation. Leave out one of the two.",
    });
  }
  if (draft.previous !== null) await assertKnown(deps.turnkeep, submitter.tenant, draft.previous);
  const id = headers['x-turnkeep-response-id'] ?? newId('resp');
  const previous = draft.continues ?? draft.previous;
  const response = newResponse({ id, createdAtMs: Date.now(), settings: draft.settings, session: null, previous });
  return { type: 'prepared', ...preparedOf(response), kept: contexts.keep(request) };
}

function preparedOf(response: ResponseObject): Pick<Prepared, 'response' | 'events'> {
  const running: ResponseObject = { ...response, status: 'in_progress' };
  const done: ResponseObject = { ...response, status: 'completed', completed_at: response.created_at, usage: unknownUsage };
  const events = [
    { type: 'response.created', sequence_number: 0, response: running },
    { type: 'response.in_progress', sequence_number: 1, response: running },
    { type: 'response.completed', sequence_number: 2, response: done },
  ];
  return { response: done, events: events.map((event) => JSON.stringify(event)) };
}

/**
 * The response that follows a steered one: with its settings, and what the user has said meanwhile.
 * @throws ApiError where it cannot be made
 */
export async function acceptSuccessor(
  submitter: Omit<Submitter, 'signal'>,
  deps: SubmitDeps,
  { turn, steers }: SteeredResponse,
  contexts: Contexts,
): Promise<Accepted> {
  const [first] = steers;
  if (first === undefined) throw new Error('there is nothing to follow');
  const input = steers.flatMap((steer) => itemsOf(steer.input));
  const follows = turn.session === null ? { previous_response_id: turn.publicId } : { conversation: turn.session };
  const request = contexts.expand({ ...follows, input }, JSON.stringify(input).length);
  const { previous_response_id: previous, input: items } = request.body;
  const draft = {
    settings: turn.settings,
    input: responsesInput(
      ((await validateBody(successorBody, { input: inputItem }, { input: items })) as z.output<typeof successorBody>).input,
    ),
    session: turn.session,
    previous: typeof previous === 'string' ? previous : null,
    ...(request.continues === undefined ? {} : { continues: request.continues }),
  };
  const headers = { 'x-turnkeep-response-id': successorIdOf(first) };
  const successor = await acceptTurn(submitter, deps, headers, draft);
  return { type: 'accepted', turn: successor, kept: successor.isStored ? undefined : contexts.keep(request) };
}

const successorBody = z.object({ input: z.array(inputItem) });
