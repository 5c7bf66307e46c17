/** Asks for an API key where the gateway wants one. */
import { type ReactNode, useId, useState } from 'react';
import { useGateway } from '../api/client.tsx';

export function KeyGate(): ReactNode {
  const { keyState, signIn } = useGateway();
  const [key, setKey] = useState('');
  const [stays, setStays] = useState(false);
  const id = useId();
  return (
    <main className="key-gate">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key !== '') signIn(key, stays);
        }}
      >
        <h1>turnkeep</h1>
        <p>This gateway wants an API key: one of its TURNKEEP_API_KEYS, the part behind the name.</p>
        <label htmlFor={id}>API key</label>
        <input
          id={id}
          type="password"
          autoComplete="off"
          autoFocus
          value={key}
          aria-invalid={keyState === 'unknown'}
          aria-describedby={`${id}-state`}
          onChange={(event) => setKey(event.target.value)}
        />
        <p id={`${id}-state`} role="status" className="error">
          {keyState === 'unknown' ? 'The gateway does not know this key.' : ''}
        </p>
        <label className="check">
          <input type="checkbox" checked={stays} onChange={(event) => setStays(event.target.checked)} />
          Keep it on this computer, also when this tab is closed
        </label>
        <button type="submit" className="primary" disabled={key === ''}>
          Continue
        </button>
      </form>
    </main>
  );
}
