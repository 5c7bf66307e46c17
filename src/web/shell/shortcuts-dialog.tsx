/** The list of the keys. */
import type { ReactNode } from 'react';
import { Window } from './dialog.tsx';
import type { Shortcut } from './shortcuts.ts';

const always: readonly (readonly [string, string])[] = [
  ['Enter', 'in the message: send it'],
  ['Shift Enter', 'in the message: a new line'],
  ['Escape', 'in the message: leave it; in a window: close it'],
];

export interface ShortcutsDialogProps {
  readonly onClose: () => void;
  readonly shortcuts: readonly Shortcut[];
}

export function ShortcutsDialog({ onClose, shortcuts }: ShortcutsDialogProps): ReactNode {
  return (
    <Window title="Keyboard" onClose={onClose}>
      <dl className="keys">
        {[...shortcuts.map(({ key, what }) => [key, what] as const), ...always].map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </Window>
  );
}
