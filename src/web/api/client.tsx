/** The gateway that served the page, and whether it wants a key. */
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { CallError } from '../../http-client/call-error.ts';
import { GatewayClient } from '../../http-client/calls.ts';

export interface Gateway {
  readonly client: GatewayClient;
  readonly apiKey: string | undefined;
  /** `wanted`: no key was sent; `unknown`: the one that was sent is not known. */
  readonly keyState: 'fine' | 'wanted' | 'unknown';
  readonly signIn: (key: string, stays: boolean) => void;
  readonly signOut: () => void;
  /** To be called with what a call threw. */
  readonly noticeFailure: (error: unknown) => void;
}

const GatewayContext = createContext<Gateway | undefined>(undefined);

export function useGateway(): Gateway {
  const gateway = useContext(GatewayContext);
  if (gateway === undefined) throw new Error('useGateway is called outside of a GatewayProvider');
  return gateway;
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof CallError && error.failure.type === 'refused' ? error.failure.status : undefined;
}

export function GatewayProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [apiKey, setApiKey] = useState(readKey);
  const [isRefused, setRefused] = useState(false);
  const noticeFailure = useCallback((error: unknown) => {
    if (statusOf(error) === 401) setRefused(true);
  }, []);
  const queries = useMemo(() => queryClient(noticeFailure), [noticeFailure]);
  const gateway = useMemo<Gateway>(
    () => ({
      client: new GatewayClient({ baseUrl: `${location.origin}/v1`, apiKey }),
      apiKey,
      keyState: !isRefused ? 'fine' : apiKey === undefined ? 'wanted' : 'unknown',
      signIn: (key, stays) => {
        keepKey(key, stays);
        queries.clear();
        setApiKey(key);
        setRefused(false);
      },
      signOut: () => {
        forgetKey();
        queries.clear();
        setApiKey(undefined);
        setRefused(true);
      },
      noticeFailure,
    }),
    [apiKey, isRefused, noticeFailure, queries],
  );
  return (
    <GatewayContext value={gateway}>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </GatewayContext>
  );
}

function queryClient(onError: (error: unknown) => void): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        // A gateway that is away comes back: what was refused would be refused again.
        retry: (failures, error) => statusOf(error) === undefined && failures < 60,
        retryDelay: (failures) => Math.min(2_000, 250 * 2 ** failures),
        networkMode: 'always',
        staleTime: 1_000,
      },
      mutations: { networkMode: 'always' },
    },
  });
}

// The key is kept for this tab, or on this computer if its user says so.
const keyName = 'turnkeep.key';

function readKey(): string | undefined {
  return read(sessionStorage) ?? read(localStorage);
}

/** @param stays past the end of this tab */
function keepKey(key: string, stays: boolean): void {
  forgetKey();
  (stays ? localStorage : sessionStorage).setItem(keyName, key);
}

function forgetKey(): void {
  sessionStorage.removeItem(keyName);
  localStorage.removeItem(keyName);
}

function read(storage: Storage): string | undefined {
  return storage.getItem(keyName) ?? undefined;
}
