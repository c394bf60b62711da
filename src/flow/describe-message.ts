/**
 * WebSocket messages in words, for failure messages.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { inspect } from 'node:util';
import type { WebSocketData, WebSocketMessage } from './payload-types.js';
import type { TcpMessage } from './tcp-types.js';

/** Messages that a failure lists. */
const LISTED = 10;
/** UTF-16 units of a text. */
const TEXT_WIDTH = 100;
/** Octets of other payloads. */
const HEX_WIDTH = 16;

/** A message in one line: `client → server, text, 16 B: '{"type":"hello"}' (injected, dropped)`. */
export function describeMessage(message: WebSocketMessage): string {
  const way = wayOf(message.from);
  const marks: string[] = [];
  if (message.injected) marks.push('injected');
  if (message.edited) marks.push('edited');
  if (message.dropped) marks.push('dropped');
  if (message.truncated) marks.push(`truncated: ${message.data.length} B are stored`);
  const suffix = marks.length === 0 ? '' : ` (${marks.join(', ')})`;
  return `${way}, ${message.type}, ${message.size} B: ${payloadOf(message)}${suffix}`;
}

/** A message of a TCP flow in one line: `client → server, 8 B: 'select 1' (edited)`. */
export function describeTcpMessage(message: TcpMessage): string {
  const { from, data, size } = message;
  const marks: string[] = [];
  if ('final' in message && message.final === false) marks.push('not sent on');
  if (message.edited) marks.push('edited');
  if (message.truncated) marks.push(`truncated: ${data.length} B are stored`);
  const suffix = marks.length === 0 ? '' : ` (${marks.join(', ')})`;
  return `${wayOf(from)}, ${size} B: ${payloadOf({ type: isUtf8(data) ? 'text' : 'binary', data })}${suffix}`;
}

function wayOf(from: 'client' | 'server'): string {
  return from === 'client' ? 'client → server' : 'server → client';
}

/** How a list is written. */
export interface Listing<T> {
  heading: string;
  /** What to say about an item, in a line of its own below it. */
  note: ((item: T) => string | undefined) | undefined;
}

/** The latest items, a line each, with how many came before them. Empty without items. */
export function listItems<T>(
  items: readonly T[],
  describe: (item: T) => string,
  { heading, note }: Listing<T>,
): string {
  if (items.length === 0) return '';
  const listed = items.slice(-LISTED);
  const part = listed.length === items.length ? '' : `, the last ${LISTED} of ${items.length}`;
  const lines = [`${heading}${part}:`];
  for (const item of listed) {
    lines.push(`  - ${describe(item)}`);
    const said = note?.(item);
    if (said !== undefined) lines.push(`      ${said}`);
  }
  return lines.join('\n');
}

/** The latest messages. */
export function listMessages(
  messages: readonly WebSocketMessage[],
  { heading = 'Messages', note }: Partial<Listing<WebSocketMessage>> = {},
): string {
  return listItems(messages, describeMessage, { heading, note });
}

/** `closed by the server with code 4001 and reason 'done'`; `open` while no close frame came. */
export function describeClosing(websocket: WebSocketData): string {
  const { closeCode, closeReason, closedBy, closed } = websocket;
  const state = closed ? 'closed' : closeCode === undefined ? 'open' : 'being closed';
  const who = closedBy === undefined ? '' : ` by the ${closedBy}`;
  if (closeCode === undefined) return `${state}${who}`;
  if (closeCode === 1006) return `${state}${who} without a close frame (code 1006)`;
  if (closeCode === 1005) return `${state}${who} without a code (code 1005)`;
  const why = closeReason === undefined || closeReason === '' ? '' : ` and reason ${inOneLine(closeReason)}`;
  return `${state}${who} with code ${closeCode}${why}`;
}

function payloadOf({ type, data }: Pick<WebSocketMessage, 'type' | 'data'>): string {
  if (type === 'text') {
    // Enough octets for the width, whatever the characters; what they end with is cut off.
    return quoted(data.subarray(0, 4 * TEXT_WIDTH).toString());
  }
  const octets = data
    .subarray(0, HEX_WIDTH)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  return `<${octets}${data.length > HEX_WIDTH ? ' …' : ''}>`;
}

/** The beginning of a text in quotes. */
export function quoted(text: string): string {
  if (text.length <= TEXT_WIDTH) return inOneLine(text);
  // Not between the halves of a character.
  return `${inOneLine(text.slice(0, TEXT_WIDTH).replace(/[\uD800-\uDBFF]$/, ''))}…`;
}

/** In whichever quotes need no escapes. */
function inOneLine(text: string): string {
  return inspect(text, { compact: true, breakLength: Number.POSITIVE_INFINITY });
}
