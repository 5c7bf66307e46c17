/** Where the page is: in the fragment of its address, so that a reload, a link and the browser's back button lead there. */
import { useSyncExternalStore } from 'react';

export interface Route {
  /** Of the path, decoded: `#/s/conv_1/t/resp_2` is `s`, `conv_1`, `t`, `resp_2`. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return routeOf(hash);
}

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  return { parts: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

/** The address of a place, for links. What is undefined or empty is left out of the query. */
export function to(parts: readonly string[], query: { readonly [name: string]: string | undefined } = {}): string {
  const given = Object.entries(query).filter((field): field is [string, string] => field[1] !== undefined && field[1] !== '');
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
  return `#/${parts.map(encodeURIComponent).join('/')}${search}`;
}

export const toSession = (session: string, turn?: string): string => to(turn === undefined ? ['s', session] : ['s', session, 't', turn]);

/** @param replaces the place that the browser's back button would lead to */
export function go(address: string, { replaces = false }: { readonly replaces?: boolean } = {}): void {
  if (replaces) location.replace(address);
  else location.assign(address);
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
