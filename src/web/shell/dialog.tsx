/** A window over the page. */
import type { ReactNode } from 'react';
import { Dialog } from '@base-ui/react/dialog';

export interface WindowProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Window({ title, onClose, children }: WindowProps): ReactNode {
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title>{title}</Dialog.Title>
          {children}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** The last row of a window that asks for something. */
export function WindowFoot({
  action,
  isReady,
  onClose,
}: {
  readonly action: string;
  readonly isReady: boolean;
  readonly onClose: () => void;
}): ReactNode {
  return (
    <div className="actions">
      <button type="submit" className="primary" disabled={!isReady}>
        {action}
      </button>
      <button type="button" onClick={onClose}>
        Cancel
      </button>
    </div>
  );
}
