/** A page with one chat, as small as `useChat` allows. What a user would see is in the document, what they would click in `chat`. */
import { useChat } from '@ai-sdk/react';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const id = new URLSearchParams(location.search).get('id');

function Chat({ known }) {
  const { messages, sendMessage, status, stop, error } = useChat({ id, messages: known, resume: true });
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

const { messages: known } = await (await fetch(`/api/chat/${id}`)).json();
createRoot(document.body).render(createElement(Chat, { known }));
