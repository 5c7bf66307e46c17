/** What a turn was asked, in short. Pure. */
import type { InputItem } from '../item.ts';
import { preview } from './timeline-text.ts';

export interface PreviewedItem {
  readonly type: string;
  readonly role?: string;
  /** Its words; of an item without any, empty. */
  readonly text: string;
}

export function previewOf(item: InputItem): PreviewedItem {
  if (item.type === 'message') return { type: item.type, role: item.role, text: preview(item.content.map(textOf).join(' ').trim()) };
  if (item.type === 'function_call_output' || item.type === 'custom_tool_call_output')
    return { type: item.type, text: preview(typeof item.output === 'string' ? item.output : item.output.map(textOf).join(' ')) };
  return { type: item.type, text: '' };
}

function textOf(part: { readonly type: string }): string {
  return 'text' in part && typeof part.text === 'string' ? part.text : `[${part.type}]`;
}
