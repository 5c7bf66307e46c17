/**
 * What a model says, told by what it is told: for turns whose requests come in any order, from several agents at once, by
 * either API. Pure: the replies are data.
 */
import {
  chatAnswer,
  chatToolCalls,
  httpError,
  responsesAnswer,
  responsesToolCalls,
  type ScriptedCall,
} from './model-server/common-scripts.ts';
import type { LoggedRequest } from './model-server/request-log.ts';
import type { Script } from './model-server/script.ts';
import type { Reply } from './model-server/server.ts';

/** One answer of the model, in the API that it is asked in. */
export type Answer = (request: LoggedRequest) => Script;

/**
 * An answer of this text, in one piece or in several.
 *
 * @example
 *     import { modelStory, says } from 'turnkeep/testing';
 *
 *     const story = modelStory().otherwise(says('Hel', 'lo'));
 */
export function says(...pieces: readonly string[]): Answer {
  return (request) => (isResponses(request) ? responsesAnswer(...pieces) : chatAnswer(...pieces));
}

/**
 * An answer that calls tools; the one behind it in its rule is what the model says of their outputs.
 *
 * @example
 *     import { calls, modelStory, says } from 'turnkeep/testing';
 *
 *     const lookUp = calls({ name: 'weather', arguments: { city: 'Oslo' } });
 *     const story = modelStory().whenTold('Oslo', lookUp, says('It snows.'));
 */
export function calls(...tools: readonly (Omit<ScriptedCall, 'id'> & { readonly id?: string })[]): Answer {
  return (request) => {
    const scripted = tools.map((tool, index) => ({ id: `call_${request.index}_${index}`, ...tool }));
    return isResponses(request) ? responsesToolCalls(...scripted) : chatToolCalls(...scripted);
  };
}

/**
 * A refusal with this status, such as 429 or 503.
 *
 * @example
 *     import { fails, modelStory, says } from 'turnkeep/testing';
 *
 *     const story = modelStory().whenTold('hello', fails(503), says('Hello!'));
 */
export function fails(status: number, body?: unknown, headers?: Readonly<Record<string, string>>): Answer {
  return () => httpError(status, body, headers);
}

interface Rule {
  readonly told: string | RegExp | undefined;
  readonly answers: readonly Answer[];
  asked: number;
}

export interface ModelStory {
  /**
   * What is answered where the last message of the user has these words: the first answer to the first request, and so on, over
   * the rounds of tools and the turns; the last one for all that come behind.
   */
  whenTold(words: string | RegExp, ...answers: readonly Answer[]): ModelStory;
  /** Where no rule before it fits. Without it such a request gets a 404. */
  otherwise(...answers: readonly Answer[]): ModelStory;
  /** For `fallback` of `startModelServer`, and for `enqueue`. */
  readonly reply: Reply & ((request: LoggedRequest) => Script);
}

/**
 * A model that answers by what it is told. The first rule that fits counts.
 *
 * @example
 *     import { calls, modelStory, says, startModelServer } from 'turnkeep/testing';
 *
 *     const story = modelStory()
 *       .whenTold(/weather/, calls({ name: 'weather', arguments: { city: 'Oslo' } }), says('It snows in Oslo.'))
 *       .otherwise(says('I do not know.'));
 *     const server = await startModelServer({ fallback: story.reply });
 */
export function modelStory(): ModelStory {
  const rules: Rule[] = [];
  const story: ModelStory = {
    whenTold(told, ...answers) {
      rules.push({ told, answers, asked: 0 });
      return story;
    },
    otherwise(...answers) {
      rules.push({ told: undefined, answers, asked: 0 });
      return story;
    },
    reply(request) {
      const words = lastWords(request);
      const rule = rules.find(({ told }) => told === undefined || (typeof told === 'string' ? words.includes(told) : told.test(words)));
      const answer = rule?.answers[Math.min(rule.asked, rule.answers.length - 1)];
      if (rule === undefined || answer === undefined) {
        return httpError(404, { error: { message: `the story has no answer to ${JSON.stringify(words)}` } });
      }
      rule.asked += 1;
      return answer(request);
    },
  };
  return story;
}

function isResponses({ path }: LoggedRequest): boolean {
  return /\/responses(\?|$)/.test(path);
}

interface Told {
  readonly role?: string;
  readonly content?: string | readonly { readonly text?: string }[] | null;
}

/** Of the user, whichever API the request came by. */
function lastWords({ body }: LoggedRequest): string {
  const { messages, input } = (body ?? {}) as { readonly messages?: readonly Told[]; readonly input?: string | readonly Told[] };
  if (typeof input === 'string') return input;
  const content = (messages ?? input ?? []).findLast(({ role }) => role === 'user')?.content;
  return typeof content === 'string' ? content : (content ?? []).map(({ text = '' }) => text).join('');
}
