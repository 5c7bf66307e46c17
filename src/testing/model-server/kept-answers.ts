/** Responses that the server keeps (background mode): a stream that broke is read on, by another process too, and a cancel is a request. */
import { httpError, httpResponse } from './common-scripts.ts';
import type { LoggedRequest } from './request-log.ts';
import type { Script, Step } from './script.ts';
import { end, sseHead } from './steps.ts';

export interface KeptAnswer {
  /** The events of a Responses stream, as `ResponsesWriter` writes them, and what stands between them; without head and end. */
  readonly steps: Script;
  /**
   * How each connection that brings it breaks, the first one first: before the event of the number `before` come these steps, and
   * no more. Where there are no more breaks, the connection brings all.
   */
  readonly breaks?: readonly { readonly before: number; readonly by: Script }[];
}

interface Kept {
  readonly steps: Script;
  readonly breaks: { readonly before: number; readonly by: Script }[];
}

/**
 * Answers of a provider that keeps them: `POST …/responses` begins the next one, `GET …/responses/{id}?stream=true` brings it
 * again, behind `starting_after`, and `POST …/responses/{id}/cancel` is noted.
 *
 * @example
 *     import { hold, KeptAnswers, reset, ResponsesWriter, startModelServer } from 'turnkeep/testing';
 *
 *     const writer = new ResponsesWriter({ id: 'resp_1' });
 *     const steps = [...writer.begin(), ...writer.text('Hel', 'lo'), ...writer.completed()];
 *     const answers = new KeptAnswers({ steps, breaks: [{ before: 5, by: [hold('read'), reset] }] });
 *     const server = await startModelServer({ fallback: answers.reply });
 *     console.log(server.baseUrl, answers.cancelled);
 *     await server.close();
 */
export class KeptAnswers {
  /** The ids of those that were to be cancelled, in the order of the requests. */
  readonly cancelled: string[] = [];
  readonly #toCome: Kept[];
  readonly #kept = new Map<string, Kept>();

  constructor(...answers: readonly KeptAnswer[]) {
    this.#toCome = answers.map(({ steps, breaks = [] }) => ({ steps, breaks: [...breaks] }));
  }

  /** From now on the server has none of those that it has begun: 404. */
  forget(): void {
    this.#kept.clear();
  }

  /** The reply to any request: for `ModelServerOptions.fallback`. */
  readonly reply = ({ method, path }: LoggedRequest): Script => {
    const { pathname, searchParams } = new URL(path, 'http://model');
    const [, id = '', action] = /\/responses\/([^/]+)(\/cancel)?$/.exec(pathname) ?? [];
    if (id === '') return method === 'POST' ? this.#begin() : httpError(404);
    const kept = this.#kept.get(decodeURIComponent(id));
    if (action !== undefined) this.cancelled.push(decodeURIComponent(id));
    if (kept === undefined)
      return httpError(404, { error: { message: `Response with id '${id}' not found.`, type: 'invalid_request_error' } });
    if (action !== undefined) return httpResponse(200, { id, object: 'response', status: 'cancelled' });
    return scriptOf(kept, Number(searchParams.get('starting_after') ?? -1));
  };

  #begin(): Script {
    const next = this.#toCome.shift();
    if (next === undefined) return httpError(500, { error: { message: 'no answer is scripted for this request', type: 'server_error' } });
    const id = next.steps.map(idIn).find((found) => found !== undefined);
    if (id !== undefined) this.#kept.set(id, next);
    return scriptOf(next, -1);
  }
}

function scriptOf({ steps, breaks }: Kept, after: number): Script {
  const broken = breaks.shift();
  const behind = steps.filter((step) => (numberIn(step) ?? Number.POSITIVE_INFINITY) > after);
  if (broken === undefined) return [sseHead, ...behind, end];
  const from = behind.findIndex((step) => (numberIn(step) ?? -1) >= broken.before);
  return [sseHead, ...(from === -1 ? behind : behind.slice(0, from)), ...broken.by];
}

function dataOf(step: Step): { readonly sequence_number?: unknown; readonly response?: { readonly id?: unknown } } {
  return step.type === 'event' && typeof step.data === 'object' && step.data !== null ? step.data : {};
}

function numberIn(step: Step): number | undefined {
  const { sequence_number: number } = dataOf(step);
  return typeof number === 'number' ? number : undefined;
}

function idIn(step: Step): string | undefined {
  const id = dataOf(step).response?.id;
  return typeof id === 'string' ? id : undefined;
}
