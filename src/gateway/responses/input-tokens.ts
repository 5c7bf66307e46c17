/** `/v1/responses/input_tokens`: how many tokens a request would bring the model, without asking it anything. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { z } from 'zod';
import type { ModelRequest } from '../../domain/model.ts';
import { askedModelOf } from '../../domain/response/response-settings.ts';
import { estimateTokens } from '../../domain/prompt/token-estimate.ts';
import { ApiError, notFound } from '../http/errors.ts';
import { jsonLimits, tooManyItems } from '../http/json-scanner.ts';
import { errorResponses } from '../http/response-schemas.ts';
import type { Routes } from '../http/route.ts';
import { takeTrigger } from '../submit/compaction-trigger.ts';
import { foreignCompaction, referencesTooLarge } from '../submit/submit-error.ts';
import { assertContext, assertToolChoice, requireModel, sendableSettings, type SubmitDeps } from '../submit/submit-turn.ts';
import { inputItem } from './item-schema.ts';
import { responsesInput } from './items.ts';
import { createResponse, hasOneContext, misnamedInResponse, oneContext } from './schema.ts';
import { responsesSettings } from './settings.ts';

export interface CountDeps extends SubmitDeps {
  readonly countTokens: (request: ModelRequest) => Promise<TokenCount>;
}

/** By the provider. */
export type TokenCount =
  | { readonly type: 'counted'; readonly tokens: number }
  /** It does not count, or cannot be asked just now. */
  | { readonly type: 'unknown' }
  /** It does not take such a request, or has no such model. @param message in the provider's words */
  | { readonly type: 'refused'; readonly isOfModel: boolean; readonly code: string; readonly message: string };

const { shape } = createResponse;
const countRequest = z
  .strictObject({ ...shape, input: shape.input.nullish(), personality: z.string().max(64, 'is too long').nullish() })
  .refine(hasOneContext, oneContext);

const counted = z.strictObject({
  object: z.literal('response.input_tokens'),
  input_tokens: z.int(),
  estimated: z.literal(true).optional().meta({ description: 'The provider does not count: a token for each four bytes of text.' }),
});

/** Counts of one tenant at once, in this process: each holds a whole prompt (T14). */
const maxAtOnce = 4;

export function inputTokensRoute(routes: Routes, deps: CountDeps): void {
  const running = new Map<string, number>();

  routes.add(
    {
      method: 'post',
      path: '/responses/input_tokens',
      tag: 'Responses',
      summary: 'Count the tokens of a request, without making it',
      description:
        'Counted by the provider where it can. Else it is estimated, and the answer says so: `estimated` is true, and the header `x-turnkeep-estimated` too. What the provider does not take is an error in its words.',
      body: countRequest,
      lists: { input: inputItem },
      misnamed: misnamedInResponse,
      isBodyOptional: true,
      responses: {
        200: {
          description: 'The count.',
          schema: counted,
          headers: { 'x-turnkeep-estimated': '`true` where the provider does not count.' },
        },
        ...errorResponses(400, 401, 404, 413, 415, 429, 503),
      },
    },
    async (c, { body }) => {
      const tenant = c.get('tenant');
      const atOnce = running.get(tenant) ?? 0;
      if (atOnce >= maxAtOnce) throw tooManyCounts();
      running.set(tenant, atOnce + 1);
      try {
        const { input, settings: asked } = takeTrigger({
          input: responsesInput(body.input ?? []),
          settings: responsesSettings(body, requireModel(body.model, deps)),
        });
        const { maxInputItems = jsonLimits.maxItems } = deps;
        if (input.length > maxInputItems) throw tooManyItems('input', maxInputItems);
        const settings = sendableSettings(deps, { settings: asked, items: input });
        const session = typeof body.conversation === 'string' ? body.conversation : (body.conversation?.id ?? null);
        const previous = body.previous_response_id ?? null;
        await assertContext(deps.turnkeep, tenant, { session, previous });
        await assertToolChoice(deps, { tenant, settings, session, previous, input });
        const prompt = await deps.turnkeep.previewPrompt(deps.providerApi, { tenant, settings, session, previous, input });
        if (prompt.type === 'references_too_large') throw referencesTooLarge();
        if (prompt.type === 'foreign_compaction') throw foreignCompaction(prompt);
        if (prompt.type === 'unknown_item') throw notFound('Item', prompt.id, `input[${prompt.index}].id`);
        const request: ModelRequest = { settings: { ...settings, model: askedModelOf(settings) }, items: prompt.items };
        const count = await deps.countTokens(request);
        if (count.type === 'counted') return c.json({ object: 'response.input_tokens', input_tokens: count.tokens });
        if (count.type === 'refused') throw refused(count);
        const estimate = { object: 'response.input_tokens', input_tokens: await estimated(request), estimated: true };
        return c.json(estimate, 200, { 'x-turnkeep-estimated': 'true' });
      } finally {
        const left = (running.get(tenant) ?? 1) - 1;
        if (left === 0) running.delete(tenant);
        else running.set(tenant, left);
      }
    },
  );
}

export async function estimated(request: ModelRequest): Promise<number> {
  return estimateTokens(request, () => nextTurnOfTheLoop());
}

function refused({ isOfModel, code, message }: Extract<TokenCount, { type: 'refused' }>): ApiError {
  return isOfModel
    ? new ApiError({ status: 404, param: 'model', code: 'model_not_found', message })
    : new ApiError({ status: 400, code, message });
}

function tooManyCounts(): ApiError {
  return new ApiError({
    status: 429,
    code: 'too_many_counts',
    message: `More than ${maxAtOnce} requests of this key are being counted. Try again when one is done.`,
    headers: { 'retry-after': '1' },
  });
}
