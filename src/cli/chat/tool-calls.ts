/** The calls of tools of a turn that runs: a line for each, and what waits for an approval in the end. */
import type { StreamEvent } from '../../http-client/events.ts';
import { cut, oneLine, type Piece } from './pieces.ts';

/** A call that is not made before somebody approves it. */
export interface ApprovalRequest {
  readonly id: string;
  readonly server: string;
  readonly tool: string;
  /** As the model wrote them. */
  readonly arguments: string;
}

interface ShownCall {
  readonly text: string;
  readonly startedAtMs: number;
}

/** Shorter calls are only `done`: those of a turn that is shown again come all at once. */
const shownFromMs = 1_000;

export class ToolCalls {
  readonly #names = new Map<string, string>();
  readonly #running = new Map<string, ShownCall>();
  readonly asked: ApprovalRequest[] = [];

  /** @returns undefined for an event of something else */
  piecesOf(event: StreamEvent, nowMs: number): readonly Piece[] | undefined {
    const { type, item } = event;
    if (type === 'response.mcp_call_arguments.done') return this.#begin(event, nowMs);
    if (item?.id === undefined) return undefined;
    if (item.type === 'mcp_call') {
      if (type === 'response.output_item.added') this.#names.set(item.id, toolName(item.server_label, item.name));
      return type === 'response.output_item.done' ? this.#end(item.id, item, nowMs) : [];
    }
    if (item.type !== 'mcp_approval_request') return undefined;
    if (type === 'response.output_item.done') this.asked.push(approvalRequestOf(item));
    return [];
  }

  #begin({ item_id: id = '', arguments: text = '' }: StreamEvent, nowMs: number): readonly Piece[] {
    const call = { text: `${this.#names.get(id) ?? '?'}(${oneLine(cut(text))})`, startedAtMs: nowMs };
    this.#running.set(id, call);
    return [{ kind: 'call', id, text: call.text }];
  }

  #end(id: string, { status, error }: NonNullable<StreamEvent['item']>, nowMs: number): readonly Piece[] {
    const call = this.#running.get(id);
    if (call === undefined) return [];
    this.#running.delete(id);
    const tookMs = nowMs - call.startedAtMs;
    const took = tookMs < shownFromMs ? '' : ` after ${seconds(tookMs)}`;
    const end = status === 'completed' ? `done${took}` : `${status === 'incomplete' ? 'stopped' : 'failed'}${took}${reason(error)}`;
    return [{ kind: 'call_end', id, text: call.text, end }];
  }
}

export function approvalRequestOf({
  id = '',
  server_label: server = '',
  name: tool = '',
  arguments: text = '',
}: {
  readonly id?: string | undefined;
  readonly server_label?: string | undefined;
  readonly name?: string | undefined;
  readonly arguments?: string | undefined;
}): ApprovalRequest {
  return { id, server, tool, arguments: text };
}

/** A tool of turnkeep's own configuration has no server worth naming. */
export function toolName(server: string | undefined, name = '?'): string {
  return server === undefined || server === 'turnkeep' ? name : `${server}: ${name}`;
}

function reason(error: string | undefined): string {
  return error === undefined ? '' : `: ${cut(oneLine(error))}`;
}

function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
}
