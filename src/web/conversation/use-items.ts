/** The items of a session: the newest first of all, older ones by the page, and what was added since by reading the newest page again. */
import { useCallback, useMemo, useRef } from 'react';
import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useGateway } from '../api/client.tsx';
import { queryOf } from '../api/queries.ts';
import type { Item, Page } from '../api/types.ts';
import { type ShownItem, shownItem } from './shown-item.ts';

const pageSize = 100;

export interface SessionItems {
  /** Oldest first. */
  readonly items: readonly ShownItem[];
  readonly isLoading: boolean;
  readonly error: Error | null;
  readonly hasOlder: boolean;
  readonly loadOlder: () => void;
  /** Resolves once what was added since is there. */
  readonly loadNewer: () => Promise<void>;
}

export function useItems(session: string): SessionItems {
  const { client } = useGateway();
  const queries = useQueryClient();
  const key = useMemo(() => ['items', session] as const, [session]);
  const read = useCallback(
    async (fields: object): Promise<Page<Item>> => {
      const path = `/conversations/${encodeURIComponent(session)}/items${queryOf({ turns: 'true', limit: pageSize, ...fields })}`;
      return (await client.json('GET', path)) as Page<Item>;
    },
    [client, session],
  );
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => read({ order: 'desc', after: pageParam }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ has_more, last_id }) => (has_more ? (last_id ?? undefined) : undefined),
    staleTime: Number.POSITIVE_INFINITY,
  });
  // One at a time, so that nothing is put in twice.
  const loading = useRef<Promise<void>>(Promise.resolve());
  const loadNewer = useCallback((): Promise<void> => {
    const load = async (): Promise<void> => {
      const newest = await read({ order: 'desc' });
      queries.setQueryData<InfiniteData<Page<Item>>>(key, (known) => withNewest(known, newest));
    };
    loading.current = loading.current.then(load, load);
    return loading.current;
  }, [queries, key, read]);
  const items = useMemo(() => (data?.pages.flatMap((page) => page.data) ?? []).toReversed().map(shownItem), [data]);
  return {
    items,
    isLoading: isPending,
    error,
    hasOlder: hasNextPage,
    loadOlder: useCallback(() => void (isFetchingNextPage || fetchNextPage()), [isFetchingNextPage, fetchNextPage]),
    loadNewer,
  };
}

/**
 * The newest page takes the place of what is known of it: an answer comes before the input of a turn that was stopped while it
 * waited for that answer.
 */
function withNewest(known: InfiniteData<Page<Item>> | undefined, newest: Page<Item>): InfiniteData<Page<Item>> | undefined {
  const items = known?.pages.flatMap(({ data }) => data) ?? [];
  const oldest = newest.data.at(-1)?.id;
  const at = items.findLastIndex(({ id }) => id === oldest);
  const last = known?.pages.at(-1);
  // More is new than a page has: what lies in between is read again, as older pages are.
  if (known === undefined || last === undefined || at === -1 || !newest.has_more) return { pages: [newest], pageParams: [undefined] };
  return { pages: [{ ...last, data: [...newest.data, ...items.slice(at + 1)] }], pageParams: [undefined] };
}
