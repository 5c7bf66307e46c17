import type { ReactNode } from 'react';
import type { TurnStatus } from '../api/types.ts';
import { statusWords } from './words.ts';

/** A turn's status as a word behind a mark of its colour. */
export function StatusMark({ status, code }: { readonly status: TurnStatus; readonly code?: string | null | undefined }): ReactNode {
  return (
    <span className={`status ${status}`}>
      <span className="dot" aria-hidden="true" />
      {statusWords[status]}
      {code == null ? null : <code>{code}</code>}
    </span>
  );
}
