/** Pages of a list, in OpenAI's form. */
import { ApiError } from './errors.ts';

export const defaultLimit = 20;

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly order?: 'asc' | 'desc' | undefined;
  readonly after?: string | undefined;
}

/** What to read for a page: one more than it shows, so that `has_more` is known. */
export function pageRequest({ limit = defaultLimit, order = 'desc', after }: PageQuery): {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly after?: string;
} {
  return { limit: limit + 1, order, ...(after === undefined ? {} : { after }) };
}

/** @param found undefined where the list has no object of the id `after`. @throws ApiError 400 naming `after` then */
export function listPage<T extends { readonly id: string }>(found: readonly T[] | undefined, query: PageQuery): object {
  if (found === undefined) {
    throw new ApiError({
      status: 400,
      param: 'after',
      code: 'invalid_value',
      message: `Invalid 'after': the list has nothing with the id '${query.after ?? ''}'.`,
    });
  }
  const { limit = defaultLimit } = query;
  const data = found.slice(0, limit);
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: found.length > limit,
  };
}
