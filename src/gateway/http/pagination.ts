/** Pages of a list, in OpenAI's form. */
import { type PagedItems, readItemPage } from '../../client/item-pages.ts';
import { ApiError } from './errors.ts';

export const defaultLimit = 20;

export interface PageQuery {
  readonly limit?: number | undefined;
  readonly order?: 'asc' | 'desc' | undefined;
  readonly after?: string | undefined;
}

interface PageRequest {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly after?: string;
}

/** What to read for a page: one more than it shows, so that `has_more` is known. */
export function pageRequest({ limit = defaultLimit, order = 'desc', after }: PageQuery): PageRequest {
  return { limit: limit + 1, order, ...(after === undefined ? {} : { after }) };
}

interface ListPage<T> {
  readonly object: 'list';
  readonly data: readonly T[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/**
 * Items may be large: a page ends early, with `has_more`, behind the one that reaches this many characters, and the client asks
 * on as for any page (T14).
 */
export const maxPageChars = 4_194_304;

/** @throws ApiError 400 naming `after` where the list has no item of that id */
export async function itemPage<T extends { readonly id: string }>(query: PageQuery, source: PagedItems<T>): Promise<ListPage<T>> {
  const { limit = defaultLimit } = query;
  const page = await readItemPage(source, { ...pageRequest(query), limit, maxChars: maxPageChars });
  if (page === undefined) return listPage(undefined, query);
  const { items, hasMore, cursor } = page;
  return { ...listPage(items, { limit: items.length }), last_id: cursor ?? null, has_more: hasMore };
}

/** @param found undefined where the list has no object of the id `after`. @throws ApiError 400 naming `after` then */
export function listPage<T extends { readonly id: string }>(found: readonly T[] | undefined, query: PageQuery): ListPage<T> {
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
