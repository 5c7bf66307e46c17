/** The list of the keys. */
import type { ReactNode } from 'react';
import { Dialog } from '@base-ui/react/dialog';
import type { Shortcut } from './shortcuts.ts';

const always: readonly (readonly [string, string])[] = [
  ['Enter', 'in the message: send it'],
  ['Shift Enter', 'in the message: a new line'],
  ['Escape', 'in the message: leave it; in a window: close it'],
];

export function ShortcutsDialog({
  onClose,
  shortcuts,
}: {
  readonly onClose: () => void;
  readonly shortcuts: readonly Shortcut[];
}): ReactNode {
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>Keyboard</Dialog.Title>
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
          <Dialog.Close className="plain">Close</Dialog.Close>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
