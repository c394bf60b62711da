import type { Dialled } from '../origin/connect.js';

const NOTHING = Buffer.alloc(0);

/** Calls back with the first octets from an origin, or none where it ends, or is lost, before. */
export function firstSign({ socket, buffers, rest }: Dialled, told: (bytes: Buffer) => void): void {
  socket.on('error', () => socket.destroy());
  if (rest !== undefined && rest.length > 0) {
    told(rest);
    return;
  }
  const heard = (bytes: Buffer) => {
    socket.off('data', heard).off('end', ended).off('close', ended);
    if (buffers !== undefined) buffers.onRead = undefined;
    socket.pause();
    told(bytes);
  };
  const ended = () => heard(NOTHING);
  socket.on('end', ended).on('close', ended);
  if (buffers === undefined) socket.on('data', heard);
  else buffers.onRead = (bytes) => heard(Buffer.from(bytes));
  // A chained proxy's tunnel comes paused.
  socket.resume();
}
