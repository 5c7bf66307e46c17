/** How far a download is: one line that changes on a terminal, a line every quarter elsewhere. */
import type { WriteStream } from 'node:tty';
import type { OnProgress } from './dev-server/release.ts';

const MEGABYTE = 1_000_000;

export function showProgress(out: Pick<WriteStream, 'isTTY' | 'write'>): OnProgress {
  let shown = -1;
  return (received, total) => {
    const percent = Math.min(100, Math.floor((received / total) * 100));
    const step = out.isTTY ? percent : Math.floor(percent / 25) * 25;
    if (step <= shown) return;
    shown = step;
    const line = `  ${step} % of ${Math.round(total / MEGABYTE)} MB`;
    out.write(out.isTTY ? `\r${line}${step === 100 ? '\n' : ''}` : `${line}\n`);
  };
}
