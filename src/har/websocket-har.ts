/**
 * WebSockets in HAR files: `_webSocketMessages` as Chrome writes it, and Sluice's own fields beside it.
 * @module
 */
import type { WebSocketData, WebSocketMessage } from '../flow/payload-types.js';
import type { HttpFlow } from '../flow/types.js';
import type { HarEntry, HarWebSocketMessage, HarWebSocketPing } from './types.js';
import { closeReason, payloadText } from './websocket.js';
import { leftOut, type Writer } from './writer.js';

/** Characters that a message costs besides its payload. Millions of small ones would make a file that nobody reads. */
const OVERHEAD = 100;

/** What an entry has because its connection is a WebSocket. */
type SocketEntry = Pick<
  HarEntry,
  '_webSocketMessages' | '_webSocketPings' | '_webSocketClose' | '_webSocketStreamed'
>;

/** Writes what happened on a WebSocket. `notes`: what is missing in the file, a sentence each. */
export function socketEntry(
  flow: HttpFlow,
  socket: WebSocketData,
  writer: Writer,
): SocketEntry & { notes: string[] } {
  const messages = some(socket.messages, writer, messageOf);
  const pings = some(socket.pings, writer, (ping): HarWebSocketPing => {
    const data = ping.data.toString('base64');
    writer.left -= data.length;
    return {
      type: ping.from === 'client' ? 'send' : 'receive',
      time: seconds(ping.timestamp),
      opcode: ping.type === 'ping' ? 9 : 10,
      data,
    };
  });
  const notes: string[] = [];
  for (const [noun, all, { length }] of [
    ['messages', socket.messages, messages],
    ['pings and pongs', socket.pings, pings],
  ] as const) {
    if (length < all.length) {
      notes.push(leftOut(`What came after the first ${length} of ${all.length} ${noun} was`));
    }
  }
  const entry: SocketEntry & { notes: string[] } = { _webSocketMessages: messages, notes };
  if (pings.length > 0) entry._webSocketPings = pings;
  if (socket.closeCode !== undefined) {
    entry._webSocketClose = {
      code: socket.closeCode,
      reason: closeReason(flow, socket, writer.redactor),
      ...(socket.closedBy === undefined ? {} : { by: socket.closedBy }),
    };
  }
  if (socket.stream) entry._webSocketStreamed = true;
  return entry;
}

/** As many as there is room for, from the first. */
export function some<From, To>(
  all: readonly From[],
  writer: Writer,
  write: (item: From, writer: Writer) => To,
): To[] {
  const written: To[] = [];
  for (const item of all) {
    if (writer.left < OVERHEAD) break;
    writer.left -= OVERHEAD;
    written.push(write(item, writer));
  }
  return written;
}

function messageOf(message: WebSocketMessage, writer: Writer): HarWebSocketMessage {
  const { from, type, timestamp, fragments, size, truncated, dropped, edited, injected } = message;
  const result: HarWebSocketMessage = {
    type: from === 'client' ? 'send' : 'receive',
    time: seconds(timestamp),
    opcode: type === 'text' ? 1 : 2,
    data: '',
  };
  const left = embedPayload(message, result, writer);
  if (truncated || left) result._size = size;
  if (left) result.comment = leftOut(`The payload (${size} bytes) was`);
  if (truncated) result._truncated = true;
  if (dropped) result._dropped = true;
  if (edited) result._edited = true;
  if (injected) result._injected = true;
  if (fragments.length > 1) result._frames = fragments.length;
  return result;
}

/** Returns whether there was no room for it. */
function embedPayload(message: WebSocketMessage, result: HarWebSocketMessage, writer: Writer): boolean {
  const { data } = message;
  const base64 = Math.ceil(data.length / 3) * 4;
  const text = message.type === 'text' ? payloadText(message) : undefined;
  // Text that is not UTF-8 stands there twice: as readers expect it, and with all its octets.
  const cost = text !== undefined ? text.length : message.type === 'text' ? base64 + data.length : base64;
  if (cost > writer.left) return true;
  writer.left -= cost;
  result.data = message.type === 'binary' ? data.toString('base64') : (text ?? message.text());
  if (message.type === 'text' && text === undefined) result._base64 = data.toString('base64');
  return false;
}

/** Microseconds are kept. */
export function seconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1e6;
}
