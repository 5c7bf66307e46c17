/** A new session that shares the past of a turn, up to one of its steps; or the same turn asked again in one. */
import { type ReactNode, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import { useGateway } from '../api/client.tsx';
import { readTurn } from '../api/queries.ts';
import type { Item, Page, TurnReport } from '../api/types.ts';
import { shownItem } from '../conversation/shown-item.ts';
import { Window, WindowFoot } from '../shell/dialog.tsx';
import { go, to, toSession } from '../shell/route.ts';

export interface BranchDialogProps {
  readonly report: TurnReport;
  readonly mode: 'fork' | 'rerun';
  readonly onClose: () => void;
}

export function BranchDialog({ report, mode, onClose }: BranchDialogProps): ReactNode {
  const { client, noticeFailure } = useGateway();
  const steps = report.steps.filter(({ kind }) => kind !== 'tools').length;
  const message = useMessage(report.id);
  const [step, setStep] = useState(mode === 'fork' ? 0 : 1);
  const [text, setText] = useState<string>();
  const [model, setModel] = useState('');
  const [instructions, setInstructions] = useState('');
  const [tools, setTools] = useState<'recorded' | 'run'>('recorded');
  const [failure, setFailure] = useState('');
  const [isUnderWay, setUnderWay] = useState(false);

  const edit = message === undefined || text === undefined || text === message.text ? [] : [edited(message.id, text)];
  const begin = async (): Promise<void> => {
    const path = `/turns/${encodeURIComponent(report.id)}`;
    const set = { ...(model === '' ? {} : { model }), ...(instructions === '' ? {} : { instructions }) };
    if (mode === 'fork') {
      const body = { ...(step === 0 ? {} : { step }), edit };
      const made = (await client.json('POST', `${path}/fork`, { body })) as { readonly id: string };
      go(toSession(made.id));
    } else {
      const made = (await client.json('POST', `${path}/rerun`, { body: { from: step, edit, set, tools } })) as { readonly id: string };
      const { session } = await readTurn(client, made.id);
      go(session === null ? to(['turns', made.id]) : toSession(session, made.id));
    }
    onClose();
  };

  return (
    <Window title={mode === 'fork' ? 'Fork here' : 'Run again'} onClose={onClose}>
      <form
        className="window-form"
        onSubmit={(event) => {
          event.preventDefault();
          setUnderWay(true);
          begin()
            .catch((error: unknown) => {
              if (!(error instanceof CallError)) throw error;
              noticeFailure(error);
              setFailure(describeFailure(error.failure));
            })
            .finally(() => setUnderWay(false));
        }}
      >
        <p className="aside">
          {mode === 'fork'
            ? 'A new session that shares the past up to there. This one stays as it is.'
            : 'The model is asked once more, in a new session, and that costs what it costs. This turn stays as it is.'}
        </p>
        <label>
          From
          <select value={step} onChange={(event) => setStep(Number(event.target.value))}>
            {mode === 'fork' ? <option value={0}>the end of the turn</option> : null}
            {Array.from({ length: Math.max(1, steps) }, (_, index) => (
              <option key={index + 1} value={index + 1}>
                before step {index + 1}
              </option>
            ))}
          </select>
        </label>
        {message === undefined ? null : (
          <label>
            What was said
            <textarea rows={3} value={text ?? message.text} onChange={(event) => setText(event.target.value)} />
          </label>
        )}
        {mode === 'fork' ? null : (
          <>
            <label>
              Another model
              <input value={model} placeholder={report.model} onChange={(event) => setModel(event.target.value)} />
            </label>
            <label>
              Other instructions
              <textarea rows={2} value={instructions} onChange={(event) => setInstructions(event.target.value)} />
            </label>
            <label>
              Tools
              <select value={tools} onChange={(event) => setTools(event.target.value === 'run' ? 'run' : 'recorded')}>
                <option value="recorded">answer as they did in this turn</option>
                <option value="run">run</option>
              </select>
            </label>
          </>
        )}
        <p role="status" className="error">
          {failure}
        </p>
        <WindowFoot action={mode === 'fork' ? 'Fork' : 'Run again'} isReady={!isUnderWay} onClose={onClose} />
      </form>
    </Window>
  );
}

/** The last message that came with a turn; undefined where its input was something else. */
function useMessage(turn: string): { readonly id: string; readonly text: string } | undefined {
  const { client } = useGateway();
  const { data } = useQuery({
    queryKey: ['last input', turn],
    queryFn: async ({ signal }) => {
      const path = `/responses/${encodeURIComponent(turn)}/input_items?order=desc&limit=1`;
      const [item] = ((await client.json('GET', path, { signal })) as Page<Item>).data;
      return item?.role === 'user' ? { id: item.id, text: shownItem(item).text } : null;
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data ?? undefined;
}

function edited(id: string, text: string): object {
  return { id, type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}
