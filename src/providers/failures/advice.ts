/** What usually mends a failure that comes of a wrong address, with the address that was asked. Pure. */
import type { ModelFailure } from '../../domain/model.ts';

/** Details of `provider_protocol`: the answer is of another kind of server. */
const foreignAnswers = new Set(['html', 'no_event_stream', 'no_model_list']);
/** Details of `provider_rejected`: no such path, said without a code of an API's own (a model that is not there has one). */
const unknownPaths = new Set(['404', '405']);

const longestAddress = 300;

/** A version in the path, as most APIs of this kind have it: `/v1`, `/v1beta`, `/api/v3`. */
const version = /\/v\d/;

/** undefined where the address is not to blame. @param url what was asked; neither its credentials nor its query are told */
export function adviceOn({ code, detail = '' }: ModelFailure, url: URL): string | undefined {
  const isWrongServer = code === 'provider_protocol' && foreignAnswers.has(detail);
  const isWrongPath = code === 'provider_rejected' && unknownPaths.has(detail);
  if (!isWrongServer && !isWrongPath) return undefined;
  const asked = `${url.origin}${url.pathname}`.slice(0, longestAddress);
  const cause = version.test(url.pathname)
    ? "Is its base URL (OPENAI_BASE_URL) that of an API of OpenAI's kind?"
    : 'The usual cause is a base URL (OPENAI_BASE_URL) without /v1 at its end.';
  return `${isWrongServer && detail === 'html' ? 'A web page came from' : 'It was asked at'} ${asked}. ${cause}`;
}
