/** What the page reads, each by one hook. Lists are asked for again as long as they are shown: they are how a page learns of others' turns. */
import { type InfiniteData, useInfiniteQuery, type UseInfiniteQueryResult, useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { GatewayClient } from '../../http-client/calls.ts';
import { useGateway } from './client.tsx';
import { isSettled, type ListedTurn, type Page, type Session, type TurnReport, type TurnStats } from './types.ts';

const runningEveryMs = 2_000;
const sessionsEveryMs = 5_000;
const reportEveryMs = 1_000;
const pageSize = 50;

export function useSessions(): UseInfiniteQueryResult<InfiniteData<Page<Session>>> {
  const { client } = useGateway();
  return useInfiniteQuery({
    queryKey: ['sessions'],
    queryFn: async ({ pageParam, signal }) =>
      (await client.json('GET', `/conversations${queryOf({ limit: pageSize, after: pageParam })}`, { signal })) as Page<Session>,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: nextPage,
    // Pages that were scrolled to are read again too.
    refetchInterval: ({ state }) => sessionsEveryMs * (state.data?.pages.length ?? 1),
  });
}

export function useSession(id: string): UseQueryResult<Session> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['session', id],
    queryFn: async ({ signal }) => (await client.json('GET', `/conversations/${encodeURIComponent(id)}`, { signal })) as Session,
    enabled: id !== '',
  });
}

/** The turns that run or wait, oldest first; of one session, or of all. */
export function useRunningTurns(session?: string): UseQueryResult<readonly ListedTurn[]> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['running', session ?? null],
    queryFn: async ({ signal }) => {
      const read = async (status: string): Promise<readonly ListedTurn[]> =>
        ((await client.json('GET', `/turns${queryOf({ status, session, limit: 100 })}`, { signal })) as Page<ListedTurn>).data;
      const [running, queued] = await Promise.all([read('in_progress'), read('queued')]);
      const all = new Map([...queued, ...running].map((turn) => [turn.id, turn]));
      return [...all.values()].toSorted((a, b) => a.created_at.localeCompare(b.created_at));
    },
    refetchInterval: runningEveryMs,
  });
}

export interface TurnFilters {
  readonly status?: string | undefined;
  readonly code?: string | undefined;
  readonly session?: string | undefined;
  readonly agent?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export function useTurns(filters: TurnFilters): UseInfiniteQueryResult<InfiniteData<Page<ListedTurn>>> {
  const { client } = useGateway();
  return useInfiniteQuery({
    queryKey: ['turns', filters],
    queryFn: async ({ pageParam, signal }) =>
      (await client.json('GET', `/turns${queryOf({ ...filters, limit: 100, after: pageParam })}`, { signal })) as Page<ListedTurn>,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: nextPage,
  });
}

export function readTurn(client: GatewayClient, id: string, signal?: AbortSignal): Promise<TurnReport> {
  return client.json('GET', `/turns/${encodeURIComponent(id)}`, { signal }) as Promise<TurnReport>;
}

export function useTurn(id: string): UseQueryResult<TurnReport> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['turn', id],
    queryFn: ({ signal }) => readTurn(client, id, signal),
    staleTime: ({ state }) => (state.data !== undefined && isSettled(state.data) ? 60_000 : 0),
    refetchInterval: ({ state }) => (state.data !== undefined && isSettled(state.data) ? false : reportEveryMs),
  });
}

export function useStats(filters: TurnFilters): UseQueryResult<TurnStats> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['stats', filters],
    queryFn: async ({ signal }) => (await client.json('GET', `/stats${queryOf(filters)}`, { signal })) as TurnStats,
  });
}

export interface ModelName {
  readonly id: string;
  /** `turnkeep`: an agent. */
  readonly owned_by: string;
}

export function useModels(): UseQueryResult<readonly ModelName[]> {
  const { client } = useGateway();
  return useQuery({
    queryKey: ['models'],
    queryFn: async ({ signal }) => ((await client.json('GET', '/models', { signal })) as { readonly data: readonly ModelName[] }).data,
    staleTime: 60_000,
    retry: false,
  });
}

function nextPage({ has_more, last_id }: Page<unknown>): string | undefined {
  return has_more ? (last_id ?? undefined) : undefined;
}

/** What is undefined or empty is left out. */
export function queryOf(fields: object): string {
  const given = Object.entries(fields).filter((field): field is [string, string | number] => field[1] !== undefined && field[1] !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}
