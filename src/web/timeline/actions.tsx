/** What can be done with a turn. */
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import { cancelResponse } from '../../http-client/resume.ts';
import { useGateway } from '../api/client.tsx';
import { isSettled, type TurnReport } from '../api/types.ts';

const BranchDialog = lazy(async () => ({ default: (await import('./branch-dialog.tsx')).BranchDialog }));
const CompareDialog = lazy(async () => ({ default: (await import('./compare-dialog.tsx')).CompareDialog }));

export function Actions({ report }: { readonly report: TurnReport }): ReactNode {
  const { client, noticeFailure } = useGateway();
  const queries = useQueryClient();
  const [underWay, setUnderWay] = useState<'stop' | 'export'>();
  const [dialog, setDialog] = useState<'fork' | 'rerun' | 'compare'>();
  const [failure, setFailure] = useState('');
  const close = (): void => setDialog(undefined);

  const act = (what: 'stop' | 'export', does: () => Promise<unknown>): void => {
    setUnderWay(what);
    setFailure('');
    does()
      .catch((error: unknown) => {
        if (!(error instanceof CallError)) throw error;
        noticeFailure(error);
        setFailure(describeFailure(error.failure));
      })
      .finally(() => setUnderWay(undefined));
  };
  const stop = async (): Promise<void> => {
    await cancelResponse(client, report.id);
    await queries.invalidateQueries({ queryKey: ['turn', report.id] });
  };
  const download = async (): Promise<void> => {
    const pieces: BlobPart[] = [];
    for await (const piece of client.bytes(`/turns/${encodeURIComponent(report.id)}/export`)) pieces.push(piece.slice());
    save(new Blob(pieces, { type: 'application/json' }), `${report.id}.turn.json`);
  };

  return (
    <div className="actions">
      {isSettled(report) ? (
        <>
          <button type="button" onClick={() => setDialog('fork')}>
            Fork here
          </button>
          <button type="button" onClick={() => setDialog('rerun')}>
            Run again
          </button>
        </>
      ) : (
        <button type="button" disabled={underWay === 'stop'} onClick={() => act('stop', stop)}>
          {underWay === 'stop' ? 'Stopping' : 'Stop'}
        </button>
      )}
      <button type="button" onClick={() => setDialog('compare')}>
        Compare
      </button>
      <button type="button" disabled={underWay === 'export'} onClick={() => act('export', download)}>
        {underWay === 'export' ? 'Exporting' : 'Export'}
      </button>
      {report.links.temporal === undefined ? null : (
        <a className="button" href={report.links.temporal} target="_blank" rel="noopener noreferrer">
          Open in Temporal
        </a>
      )}
      <p role="status" className="error">
        {failure}
      </p>
      <Suspense>
        {dialog === 'fork' || dialog === 'rerun' ? <BranchDialog report={report} mode={dialog} onClose={close} /> : null}
        {dialog === 'compare' ? <CompareDialog report={report} onClose={close} /> : null}
      </Suspense>
    </div>
  );
}

function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
