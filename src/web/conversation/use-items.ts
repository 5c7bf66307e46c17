/** The items of a session: the newest first of all, older ones by the page, and what was added since without reading all again. */
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
  /** Resolves once what was added behind the newest is there. */
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
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useInfiniteQuery({
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
      const newest = queries.getQueryData<InfiniteData<Page<Item>>>(key)?.pages[0]?.data[0]?.id;
      if (newest === undefined) return void (await refetch());
      for (let after: string | null = newest, isMore = true; isMore && after !== null;) {
        const page: Page<Item> = await read({ order: 'asc', after });
        queries.setQueryData<InfiniteData<Page<Item>>>(key, (known) => known && withNewer(known, page.data));
        ({ last_id: after, has_more: isMore } = page);
      }
    };
    loading.current = loading.current.then(load, load);
    return loading.current;
  }, [queries, key, read, refetch]);
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

/** @param newer oldest first, as they were asked for */
function withNewer(known: InfiniteData<Page<Item>>, newer: readonly Item[]): InfiniteData<Page<Item>> {
  const [first, ...rest] = known.pages;
  if (first === undefined || newer.length === 0) return known;
  return { ...known, pages: [{ ...first, data: [...newer.toReversed(), ...first.data] }, ...rest] };
}
