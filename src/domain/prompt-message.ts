/** Messages of a prompt that nobody has written: notes, and what a provider can only be told as text. */
import type { InputMessage } from './item.ts';

export function message(role: 'user' | 'assistant', content: string | InputMessage['content']): InputMessage {
  const parts =
    typeof content !== 'string'
      ? content
      : [
          role === 'user'
            ? ({ type: 'input_text', text: content } as const)
            : ({ type: 'output_text', text: content, annotations: [], logprobs: [] } as const),
        ];
  return { id: '', type: 'message', status: 'completed', role, content: parts };
}
