/** Where a message is written. While an answer is under way it is stopped here, and what is sent waits for it or takes its place. */
import { type ReactNode, useRef, useState } from 'react';
import { useModels } from '../api/queries.ts';

export interface ComposerProps {
  readonly isBusy: boolean;
  /** What answers in this session so far. */
  readonly model: string | undefined;
  /** @returns false where the text is to stay, since it could not be sent */
  readonly onSend: (text: string, model: string | undefined, whenBusy: 'enqueue' | 'interrupt') => void | Promise<boolean>;
  readonly onStop: () => void;
  readonly isStopping: boolean;
}

export function Composer({ isBusy, model, onSend, onStop, isStopping }: ComposerProps): ReactNode {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<string>();
  const field = useRef<HTMLTextAreaElement>(null);
  const { data: models = [] } = useModels();
  const asked = chosen ?? model ?? '';

  const send = (whenBusy: 'enqueue' | 'interrupt'): void => {
    if (text.trim() === '') return;
    const sending = onSend(text, asked === '' ? undefined : asked, whenBusy);
    void sending?.then((isSent) => isSent || setText((now) => (now === '' ? text : now)));
    setText('');
    if (field.current === null) return;
    field.current.style.height = 'auto';
    field.current.focus();
  };

  return (
    <form
      className="composer"
      aria-label="Message"
      onSubmit={(event) => {
        event.preventDefault();
        send('enqueue');
      }}
    >
      <textarea
        ref={field}
        rows={1}
        data-focus="message"
        aria-label="Message"
        placeholder={isBusy ? 'Say something more: it waits for the answer' : 'Write a message'}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          fit(event.target);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send('enqueue');
        }}
      />
      <div className="composer-foot">
        <label className="model">
          <span className="hidden">Model or agent</span>
          <select value={asked} onChange={(event) => setChosen(event.target.value)}>
            <option value="">the gateway’s model</option>
            {asked === '' || models.some(({ id }) => id === asked) ? null : <option value={asked}>{asked}</option>}
            {models.map(({ id, owned_by }) => (
              <option key={id} value={id}>
                {owned_by === 'turnkeep' ? `${id} (agent)` : id}
              </option>
            ))}
          </select>
        </label>
        {isBusy ? (
          <>
            <button type="button" className="plain" disabled={isStopping} onClick={onStop}>
              {isStopping ? 'Stopping' : 'Stop'}
            </button>
            <button type="button" className="plain" disabled={text.trim() === ''} onClick={() => send('interrupt')}>
              Interrupt
            </button>
          </>
        ) : null}
        <button type="submit" className="primary" disabled={text.trim() === ''}>
          {isBusy ? 'Queue' : 'Send'}
        </button>
      </div>
    </form>
  );
}

/** As high as what is written, up to what the stylesheet allows. */
function fit(area: HTMLTextAreaElement): void {
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight + 2}px`;
}
