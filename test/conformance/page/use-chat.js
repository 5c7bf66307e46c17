/** A page with one chat, as small as `useChat` allows. What a user would see is in the document, what they would click in `chat`. */
import { useChat } from '@ai-sdk/react';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const id = new URLSearchParams(location.search).get('id');
const key = `messages of ${id}`;

function Chat() {
  // The rest of what a real page does on a reload: it knows what was said before the answer that still runs.
  const known = JSON.parse(sessionStorage.getItem(key) ?? '[]');
  const { messages, sendMessage, status, stop, error } = useChat({ id, messages: known, resume: true });
  const settled = status === 'ready' ? messages : messages.slice(0, messages.findLastIndex(({ role }) => role === 'user') + 1);
  if (settled.length > 0) sessionStorage.setItem(key, JSON.stringify(settled));
  globalThis.chat = {
    status,
    error: error?.message ?? null,
    shown: messages.map(({ role, parts }) => `${role}: ${parts.map((part) => part.text ?? '').join('')}`),
    say: (text) => void sendMessage({ text }),
    stop: async () => {
      await fetch(`/api/chat/${id}/stop`, { method: 'POST' });
      await stop();
    },
  };
  return createElement('pre', {}, JSON.stringify(globalThis.chat));
}

createRoot(document.body).render(createElement(Chat));
