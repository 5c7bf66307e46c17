/** A turn on a page of its own: of a session or not. */
import type { ReactNode } from 'react';
import { TurnPanel } from '../timeline/turn-panel.tsx';

export function TurnPage({ id }: { readonly id: string }): ReactNode {
  return (
    <main className="page" id="main" tabIndex={-1} data-focus="main">
      <h1>Turn</h1>
      <TurnPanel id={id} />
    </main>
  );
}
