/** Which routes a path belongs to, whatever its method, and the one name of a route that answers under two paths. */

interface RegisteredRoute {
  readonly method: string;
  /** In Hono's notation: `/v1/responses/:id`. */
  readonly path: string;
}

export interface Paths {
  /** The methods that a path takes, for `allow`; empty for an unknown path. */
  methodsOf(path: string): string[];
  /** The route of a path; undefined for an unknown path. */
  routeOf(path: string): string | undefined;
}

export function pathsOf(routes: readonly RegisteredRoute[]): Paths {
  const patterns = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, path, pattern: new RegExp(`^${path.replaceAll(/:[a-z]+/g, '[^/]+')}$`) }));
  // Hono answers HEAD wherever there is a GET.
  const withHead = (method: string): string[] => (method === 'GET' ? ['GET', 'HEAD'] : [method]);
  return {
    methodsOf: (path) => [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap(({ method }) => withHead(method)))],
    routeOf: (path) => patterns.find(({ pattern }) => pattern.test(path))?.path,
  };
}

/**
 * The path under which a route is described: what answers with and without `/v1` is one route in the log and the metrics.
 * @param described those of the routes that have both, as `/openapi.json` has them
 */
export function homeOf(route: string, described: ReadonlySet<string>): string {
  const bare = route.replace(/^\/v1(?=\/)/, '');
  return [`/v1${bare}`, bare].find((path) => described.has(path)) ?? route;
}
