/** One piece of a tool call, in the forms that chat providers give it. Pure. */
import type { ProviderFields } from '../../domain/item.ts';
import { asRecord, asText, type JsonRecord } from '../json.ts';

export interface CallPiece {
  readonly index: number | undefined;
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly args: string;
  /** What the provider says of the call beside OpenAI's own fields. */
  readonly fields: ProviderFields | undefined;
  /** Whether the arguments can be the beginning of a call's. */
  readonly begins: boolean;
}

export function pieceOf(source: JsonRecord): CallPiece {
  const { index, id, type: _type, function: _function, ...own } = source;
  // Some servers leave out the object around name and arguments.
  const inner = asRecord(source['function']);
  const { name, arguments: value } = inner ?? own;
  const args = argumentsOf(value);
  const { name: _name, arguments: _arguments, ...flat } = own;
  const fields = Object.entries(inner === undefined ? flat : own).filter(([, each]) => each !== null && each !== undefined);
  return {
    index: typeof index === 'number' ? index : typeof index === 'string' && /^\d+$/.test(index) ? Number(index) : undefined,
    id: typeof id === 'number' ? String(id) : asText(id)?.toWellFormed(),
    // Go's and Java's texts of nothing.
    name: name === 'null' || name === '<nil>' ? undefined : asText(name),
    args,
    begins: args.trimStart().startsWith('{'),
    fields: fields.length === 0 ? undefined : (Object.fromEntries(fields) as ProviderFields),
  };
}

/** JSON text, also where the server sends the object itself, or an empty list, as PHP writes an empty object. */
function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  return Array.isArray(value) && value.length === 0 ? '{}' : JSON.stringify(value);
}
