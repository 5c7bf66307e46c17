/** Notes how a viewer of a response left it. */
import type { ServerResponse } from 'node:http';
import type { ViewerProtocol } from '../../domain/turn/viewer.ts';
import type { Viewer, ViewerLog } from './viewer-log.ts';

/** @param after the event that it has already; -1 for none */
export function watchViewer(
  viewers: ViewerLog | undefined,
  outgoing: ServerResponse,
  { turn, protocol, after }: { readonly turn: string; readonly protocol: ViewerProtocol; readonly after: number },
): Viewer | undefined {
  const viewer = viewers?.open(turn, protocol, after);
  if (viewer === undefined) return undefined;
  const { socket } = outgoing;
  let hasBroken = false;
  const onError = (): void => {
    hasBroken = true;
  };
  socket?.on('error', onError);
  outgoing.once('close', () => {
    socket?.off('error', onError);
    // The end of what the client sends says that it closed the connection; without that, and without an error, we did.
    const left = socket?.readableEnded === true ? 'left' : 'cut';
    viewer.close(outgoing.writableFinished ? 'saw_end' : hasBroken ? 'reset' : left);
  });
  return viewer;
}
