/** Asks which turn another one is compared with. */
import { type ReactNode, useId, useState } from 'react';
import { useTurns } from '../api/queries.ts';
import type { TurnReport } from '../api/types.ts';
import { Window, WindowFoot } from '../shell/dialog.tsx';
import { go, to } from '../shell/route.ts';
import { moment, statusWords } from '../shell/words.tsx';

export function CompareDialog({ report, onClose }: { readonly report: TurnReport; readonly onClose: () => void }): ReactNode {
  const { data } = useTurns({});
  const [other, setOther] = useState('');
  const id = useId();
  const turns = data?.pages[0]?.data.filter((turn) => turn.id !== report.id) ?? [];
  return (
    <Window title="Compare" onClose={onClose}>
      <form
        className="window-form"
        onSubmit={(event) => {
          event.preventDefault();
          go(to(['diff', report.id, other.trim()]));
          onClose();
        }}
      >
        <label>
          With which turn?
          <input list={id} value={other} placeholder="resp_…" onChange={(event) => setOther(event.target.value)} />
        </label>
        <datalist id={id}>
          {turns.map((turn) => (
            <option key={turn.id} value={turn.id}>
              {statusWords[turn.status]}, {turn.model}, {moment(turn.created_at)}
            </option>
          ))}
        </datalist>
        <WindowFoot action="Compare" isReady={other.trim() !== ''} onClose={onClose} />
      </form>
    </Window>
  );
}
