/**
 * WebSocket messages in words, for failure messages.
 * @module
 */
import { inspect } from 'node:util';
import type { WebSocketData, WebSocketMessage } from './types.js';

/** Messages that a failure lists. */
const LISTED = 10;
/** UTF-16 units of a text. */
const TEXT_WIDTH = 100;
/** Octets of other payloads. */
const HEX_WIDTH = 16;

/** A message in one line: `client → server, text, 16 B: '{"type":"hello"}' (injected, dropped)`. */
export function describeMessage(message: WebSocketMessage): string {
  const way = message.from === 'client' ? 'client → server' : 'server → client';
  const marks: string[] = [];
  if (message.injected) marks.push('injected');
  if (message.edited) marks.push('edited');
  if (message.dropped) marks.push('dropped');
  if (message.truncated) marks.push(`truncated: ${message.data.length} B are stored`);
  const suffix = marks.length === 0 ? '' : ` (${marks.join(', ')})`;
  return `${way}, ${message.type}, ${message.size} B: ${payloadOf(message)}${suffix}`;
}

/** Options of {@link listMessages}. */
export interface MessageListing {
  /** Default: `Messages`. */
  heading?: string;
  /** What to say about a message, in a line of its own below it. */
  note?(message: WebSocketMessage): string | undefined;
}

/** The latest messages, a line each, with how many came before them. Empty without messages. */
export function listMessages(messages: readonly WebSocketMessage[], options: MessageListing = {}): string {
  if (messages.length === 0) return '';
  const { heading = 'Messages', note } = options;
  const listed = messages.slice(-LISTED);
  const part = listed.length === messages.length ? '' : `, the last ${LISTED} of ${messages.length}`;
  const lines = [`${heading}${part}:`];
  for (const message of listed) {
    lines.push(`  - ${describeMessage(message)}`);
    const said = note?.(message);
    if (said !== undefined) lines.push(`      ${said}`);
  }
  return lines.join('\n');
}

/** `closed by the server with code 4001 and reason 'done'`; `open` while no close frame came. */
export function describeClosing(websocket: WebSocketData): string {
  const { closeCode, closeReason, closedBy, closed } = websocket;
  const state = closed ? 'closed' : closeCode === undefined ? 'open' : 'being closed';
  const who = closedBy === undefined ? '' : ` by the ${closedBy}`;
  if (closeCode === undefined) return `${state}${who}`;
  if (closeCode === 1006) return `${state}${who} without a close frame (code 1006)`;
  if (closeCode === 1005) return `${state}${who} without a code (code 1005)`;
  const why = closeReason === undefined || closeReason === '' ? '' : ` and reason ${quoted(closeReason)}`;
  return `${state}${who} with code ${closeCode}${why}`;
}

function payloadOf({ type, data }: WebSocketMessage): string {
  if (type === 'text') {
    // Enough octets for the width, whatever the characters; what they end with is cut off.
    const text = data.subarray(0, 4 * TEXT_WIDTH).toString();
    if (text.length <= TEXT_WIDTH) return quoted(text);
    // Not between the halves of a character.
    return `${quoted(text.slice(0, TEXT_WIDTH).replace(/[\uD800-\uDBFF]$/, ''))}…`;
  }
  const octets = data
    .subarray(0, HEX_WIDTH)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  return `<${octets}${data.length > HEX_WIDTH ? ' …' : ''}>`;
}

/** On one line, in whichever quotes need no escapes. */
function quoted(text: string): string {
  return inspect(text, { compact: true, breakLength: Number.POSITIVE_INFINITY });
}
