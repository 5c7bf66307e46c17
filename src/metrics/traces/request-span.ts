/** The span of a request to the gateway: in the trace of its client where that has one, else in that of the turn that it is about. Pure. */
import { randomBytes } from 'node:crypto';
import type { EndedRequest } from '../../http/ended-request.ts';
import { placeOf, placeOfHeader, type SpanPlace, type TraceSpan } from './span.ts';

/** @param endMs when its response was over, ms since the epoch */
export function requestSpan(request: EndedRequest, endMs: number): TraceSpan {
  const { method, route, status, durationMs, tenant, responseId: publicId, requestId, isStream, isCut, traceparent } = request;
  const turn = publicId === undefined || tenant === undefined ? undefined : placeOf({ tenant, publicId });
  const client = placeOfHeader(traceparent);
  const parent: SpanPlace | undefined = client ?? turn;
  return {
    traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    parentId: parent?.spanId,
    name: `${method} ${route}`,
    kind: 'server',
    startMs: endMs - durationMs,
    endMs,
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      'gen_ai.response.id': publicId,
      'turnkeep.request_id': requestId,
      'turnkeep.is_stream': isStream,
      'turnkeep.is_cut': isCut,
      'error.type': status >= 500 ? String(status) : undefined,
    },
    links: client !== undefined && turn !== undefined ? [{ ...turn, relation: 'turn' }] : [],
    error: status >= 500 ? String(status) : undefined,
  };
}
