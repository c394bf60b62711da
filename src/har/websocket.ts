/**
 * What there is to say about a WebSocket as a whole, and about a message's payload.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { isError } from '../errors.js';
import type { Payload } from '../flow/payload-match.js';
import type { WebSocketData } from '../flow/payload-types.js';
import type { HttpFlow } from '../flow/types.js';
import type { Redactor } from './redact.js';
import { count, formatBytes, plural, printable } from './text.js';

/** Messages, counted. */
export interface SocketTotals {
  /** Those of the client. */
  readonly up: { messages: number; bytes: number };
  /** Those of the server. */
  readonly down: { messages: number; bytes: number };
  readonly dropped: number;
  readonly injected: number;
  readonly truncated: number;
}

/** Codes that say nothing went wrong: normal, going away (a page was left), and a close frame without a code. */
const ORDINARY: ReadonlySet<number> = new Set([1000, 1001, 1005]);

export function socketTotals({ messages }: WebSocketData): SocketTotals {
  const [up, down] = [
    { messages: 0, bytes: 0 },
    { messages: 0, bytes: 0 },
  ];
  let [dropped, injected, truncated] = [0, 0, 0];
  for (const message of messages) {
    const side = message.from === 'client' ? up : down;
    side.messages++;
    side.bytes += message.size;
    if (message.dropped) dropped++;
    if (message.injected) injected++;
    if (message.truncated) truncated++;
  }
  return { up, down, dropped, injected, truncated };
}

/** `open`, `closed 1000 by client`, `closed 4001 "done" by server`; `closing …` before the answer to a close frame. */
export function endOf(flow: HttpFlow, socket: WebSocketData, redactor: Redactor): string {
  const { closed, closeCode, closedBy } = socket;
  const state = closed ? 'closed' : closeCode === undefined ? 'open' : 'closing';
  const reason = closeReason(flow, socket, redactor);
  const words = [state, closeCode, reason === '' ? undefined : `"${printable(reason)}"`];
  if (closedBy !== undefined) words.push(`by ${closedBy}`);
  return words.filter((word) => word !== undefined).join(' ');
}

/** The reason in the close frame, or `''`. It can quote what is hidden. */
export function closeReason(flow: HttpFlow, socket: WebSocketData, redactor: Redactor): string {
  return socket.closeReason === undefined ? '' : redactor.sentence(flow, socket.closeReason);
}

/** `own`: ended with a code that only the application can explain (RFC 6455 section 7.4.2); `bad`: by a failure. */
export function moodOf({ closed, closeCode }: WebSocketData): 'open' | 'good' | 'own' | 'bad' {
  if (!closed) return 'open';
  if (closeCode === undefined || ORDINARY.has(closeCode)) return 'good';
  return closeCode >= 3000 ? 'own' : 'bad';
}

/** Facts for a line: `3 messages up`, `12 down`, `1.2 kB up`, … */
export function socketFacts(flow: HttpFlow, socket: WebSocketData, redactor: Redactor): string[] {
  const { up, down, ...special } = socketTotals(socket);
  return [
    `${plural(up.messages, 'message')} up`,
    `${count(down.messages)} down`,
    `${formatBytes(up.bytes)} up`,
    `${formatBytes(down.bytes)} down`,
    ...(['injected', 'dropped', 'truncated'] as const)
      .filter((what) => special[what] > 0)
      .map((what) => `${count(special[what])} ${what}`),
    ...(socket.stream ? ['streamed'] : []),
    endOf(flow, socket, redactor),
  ];
}

/** When it ended, or so far something was last heard on it: milliseconds since the epoch. */
export function lastHeard({ messages, pings, endedAt }: WebSocketData): number | undefined {
  if (endedAt !== undefined) return endedAt;
  const times = [messages.at(-1), pings.at(-1)].flatMap((last) => (last === undefined ? [] : last.timestamp));
  return times.length === 0 ? undefined : Math.max(...times);
}

/**
 * A text message's payload as text, `limit` octets of it at most, without a character that was cut in two; `undefined`
 * if octets would be lost, since it is not UTF-8.
 */
export function payloadText(message: Payload, limit = Number.POSITIVE_INFINITY): string | undefined {
  const { data } = message;
  if (!message.truncated && data.length <= limit) return isUtf8(data) ? data.toString() : undefined;
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return decoder.decode(data.subarray(0, Math.min(limit, data.length)), { stream: true });
  } catch (error) {
    if (isError(error, 'TypeError')) return undefined;
    throw error;
  }
}
