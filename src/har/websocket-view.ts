/**
 * What the HTML page shows of a WebSocket: its messages, pings and end as rows of strings.
 * @module
 */
import type { Payload } from '../flow/payload-match.js';
import type { WebSocketData, WebSocketMessage, WebSocketPing } from '../flow/payload-types.js';
import type { HttpFlow } from '../flow/types.js';
import type { Redactor } from './redact.js';
import { count, exactBytes, formatBytes, formatDuration, hexDump, plural, printable } from './text.js';
import { startOf } from './times.js';
import type { BodyView, Pair } from './view.js';
import { closeReason, endOf, moodOf, payloadText, socketTotals } from './websocket.js';

export interface SocketView {
  /** What the rows are. */
  title: 'Messages' | 'Events';
  facts: Pair[];
  /** How it ended, or `open`. */
  end: string;
  mood: ReturnType<typeof moodOf>;
  rows: (FrameView | GapView)[];
}

/** A message, ping, pong, or the end. */
export interface FrameView {
  up: boolean;
  /** Since the request. Absent where it is not known. */
  time?: string;
  kind: 'text' | 'binary' | 'ping' | 'pong' | 'close';
  /** The type of an event. */
  name?: string;
  size?: string;
  /** What is not as usual, a word or two each. */
  marks: string[];
  /** In one line. */
  line: string;
  /** What is shown when the row is opened, if it is more than the line. */
  body?: BodyView;
}

/** Rows that are left out. */
export interface GapView {
  gap: string;
}

/** The most that is shown of a message, in octets. */
const PREVIEW = 32 * 1024;
/** JSON up to here, in octets, is checked, so that it can be laid out. */
const PRETTY = 256 * 1024;
/** The most that is shown of binary data, in octets. */
const HEX = 256;
/** Characters of a row's line. */
const LINE = 120;

/** @param room rows that may be shown; the first and the last ones are, in equal shares */
export function socketView(
  flow: HttpFlow,
  socket: WebSocketData,
  redactor: Redactor,
  room: number,
): SocketView {
  const { up, down } = socketTotals(socket);
  const pings = socket.pings.filter(({ type }) => type === 'ping').length;
  const facts: Pair[] = [
    ['sent', `${plural(up.messages, 'message')}, ${formatBytes(up.bytes)}`],
    ['received', `${plural(down.messages, 'message')}, ${formatBytes(down.bytes)}`],
  ];
  if (socket.pings.length > 0) {
    facts.push(['pings', `${plural(pings, 'ping')}, ${plural(socket.pings.length - pings, 'pong')}`]);
  }
  if (socket.stream) facts.push(['streamed', 'frames passed on as they arrived']);
  const all = inOrder(socket);
  const start = startOf(flow);
  const rows = rowsOf(all, room, (frame) => frameView(frame, start), gapText);
  const close = closeView(flow, socket, redactor);
  if (close !== undefined) rows.push(close);
  return { title: 'Messages', facts, end: endOf(flow, socket, redactor), mood: moodOf(socket), rows };
}

/** @param room rows that there may be; the first and the last items are shown, in equal shares */
export function rowsOf<T>(
  all: readonly T[],
  room: number,
  show: (item: T) => FrameView,
  gap: (items: readonly T[]) => string,
): SocketView['rows'] {
  if (all.length <= room) return all.map(show);
  const head = Math.ceil(room / 2);
  const tail = all.length - Math.floor(room / 2);
  return [...all.slice(0, head).map(show), { gap: gap(all.slice(head, tail)) }, ...all.slice(tail).map(show)];
}

type Frame = WebSocketMessage | WebSocketPing;

/** Both lists are in order of time already. */
function inOrder({ messages, pings }: WebSocketData): Frame[] {
  if (pings.length === 0) return messages;
  return [...messages, ...pings].sort((a, b) => a.timestamp - b.timestamp);
}

function isPing(frame: Frame): frame is WebSocketPing {
  return frame.type === 'ping' || frame.type === 'pong';
}

function gapText(frames: readonly Frame[]): string {
  const pings = frames.filter(isPing).length;
  const messages = frames.length - pings;
  const what = [
    ...(messages > 0 ? [plural(messages, 'message')] : []),
    ...(pings > 0 ? [`${count(pings)} ${pings === 1 ? 'ping or pong' : 'pings and pongs'}`] : []),
  ].join(' and ');
  return leftOutHere(what);
}

export function leftOutHere(what: string): string {
  return `${what} left out here, to keep this page small`;
}

function frameView(frame: Frame, start: number): FrameView {
  const common = {
    up: frame.from === 'client',
    time: `+${formatDuration(Math.max(0, frame.timestamp - start))}`,
    size: formatBytes(isPing(frame) ? frame.data.length : frame.size),
  };
  if (isPing(frame)) {
    const { type: kind, data } = frame;
    return { ...common, kind, marks: [], line: data.length === 0 ? '' : hexLine(data) };
  }
  const marks: string[] = [];
  if (frame.injected) marks.push('injected');
  if (frame.edited) marks.push('edited');
  if (frame.dropped) marks.push('dropped');
  if (frame.truncated) marks.push('truncated');
  if (frame.fragments.length > 1) marks.push(plural(frame.fragments.length, 'frame'));
  return { ...common, kind: frame.type, marks, ...payloadView(frame, marks) };
}

/** @param marks get what is not as usual */
export function payloadView(message: Payload, marks: string[]): Pick<FrameView, 'line' | 'body'> {
  const { data, size } = message;
  const notes: string[] = [];
  if (message.truncated) {
    notes.push(`Only the first ${formatBytes(data.length)} of ${formatBytes(size)} were recorded.`);
  }
  if (message.type === 'text') {
    const text = payloadText(message, PREVIEW);
    if (text !== undefined) return textView(message, text, notes);
    marks.push('not UTF-8');
  }
  const line = hexLine(data);
  if (data.length <= 16 && notes.length === 0) return { line };
  if (data.length > HEX) notes.push(`The first ${HEX} B of ${formatBytes(data.length)} are shown.`);
  return { line, body: { notes, text: hexDump(data.subarray(0, HEX)), of: 'message' } };
}

function textView(message: Payload, text: string, notes: string[]): Pick<FrameView, 'line' | 'body'> {
  const line = printable(text.slice(0, LINE).replace(/\s+/g, ' '));
  const json = isJson(message);
  if (line === text && !json && notes.length === 0) return { line };
  const cut = message.data.length > PREVIEW;
  const body: BodyView = { notes, text, cut, size: exactBytes(message.size), of: 'message' };
  if (json) body.json = true;
  return { line: text.length > LINE ? `${line}…` : line, body };
}

/** Objects and arrays: there is nothing to lay out in other JSON. */
function isJson(message: Payload): boolean {
  if (message.truncated || message.data.length > PRETTY) return false;
  if (!/^\s*[[{]/.test(message.data.toString('latin1', 0, 64))) return false;
  try {
    JSON.parse(message.text());
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function hexLine(data: Buffer): string {
  const hex = data.toString('hex', 0, 16).replace(/..(?=.)/g, '$& ');
  return data.length > 16 ? `${hex} …` : hex;
}

function closeView(flow: HttpFlow, socket: WebSocketData, redactor: Redactor): FrameView | undefined {
  const { closeCode, closedBy } = socket;
  if (closeCode === undefined || closedBy === undefined) return undefined;
  const reason = closeReason(flow, socket, redactor);
  const said = reason === '' ? '' : ` ${printable(reason)}`;
  const line =
    closeCode === 1006
      ? `the ${closedBy} left without closing (1006)`
      : closeCode === 1005
        ? 'without a code (1005)'
        : `${closeCode}${said}`;
  return { up: closedBy === 'client', kind: 'close', marks: [], line };
}
