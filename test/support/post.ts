/** A request to a gateway by its bare address: what a story needs where headers, status and bytes are the point. */

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  readonly json: Record<string, unknown> | undefined;
}

/** Posts to `/v1/responses`. Resolves with the headers: the turn is accepted, its answer still to come. */
export async function begin(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** Posts to `/v1/responses` and reads the answer to its end. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return read(await begin(url, body, headers));
}

export async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
}

/** What an error says: status, the field it names, its code. */
export function errorOf({ status, json }: Answer | { readonly status: number; readonly json: Record<string, unknown> }): unknown[] {
  const error = json?.['error'] as { param?: unknown; code?: unknown } | undefined;
  return [status, error?.param, error?.code];
}

/** The bytes of a stream's events, comments left out: they are each viewer's own. */
export function eventsOf({ text }: Answer): string {
  return text.replaceAll(/^:.*\n\n/gm, '');
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
