/**
 * Flows as plain text: a line each, for terminals and failure messages.
 * @module
 */
import { SluiceError, shown } from '../errors.js';
import type { TcpFlow } from '../flow/tcp-types.js';
import type { HttpFlow, Message } from '../flow/types.js';
import { CLOSED_STREAM, isClosedStream, shownError } from './failure.js';
import { type Redact, Redactor } from './redact.js';
import { byType, tcpLines } from './tcp.js';
import { clip, formatBytes, formatDuration, plural, printable, shortenUrl } from './text.js';
import { isInFlight, startOf, timesOf } from './times.js';
import { endOf, socketFacts, socketTotals } from './websocket.js';

export { formatBytes } from './text.js';

/** Options of {@link summarize}. */
export interface SummaryOptions {
  /** Lines at most, the heading and the count of what was left out included. Default 30. */
  maxLines?: number;
  /** As in HAR files: here it concerns user names in URLs and what error messages quote. */
  redact?: Redact;
}

const URL_WIDTH = 64;
const NOTE_WIDTH = 90;
const TCP_LINES = 5;
const HEADING = ['METHOD', 'URL', 'STATUS', 'UP', 'DOWN', 'BODIES', 'TIME', ''];
/** Columns of numbers, which read better with their units below each other. */
const RIGHT = new Set([3, 4, 6]);

/**
 * A table of flows in order of their start, favicon requests last. What does not fit is counted in the last line;
 * failed flows stay before good ones, then answers of 400 and over, then the latest. TCP flows follow, in up to five lines.
 * @throws SluiceError BAD_OPTION for a `maxLines` that is not a whole number over 0, or a bad `redact`
 */
export function summarize(flows: Iterable<HttpFlow | TcpFlow>, options: SummaryOptions = {}): string {
  const { maxLines = 30 } = options;
  if (!Number.isInteger(maxLines) || maxLines < 1) {
    throw new SluiceError(
      'BAD_OPTION',
      `maxLines: ${shown(maxLines)} is not accepted; give a whole number over 0`,
    );
  }
  const redactor = new Redactor(options.redact);
  const { http, tcp } = byType(flows);
  const all = http.sort((a, b) => startOf(a) - startOf(b));
  if (all.length === 0 && tcp.length === 0) return 'No flows were recorded.';
  // Without HTTP there is no table to leave room for.
  const others = tcpLines(tcp, Math.min(TCP_LINES, all.length === 0 ? maxLines : maxLines - 3));
  const most = maxLines - others.length;
  const room = all.length + 1 <= most ? all.length : Math.max(0, most - 2);
  const kept = new Set([...all.keys()].sort((a, b) => byWorth(all, a, b)).slice(0, room));
  const rows = all
    .filter((_, index) => kept.has(index))
    .sort((a, b) => Number(isFavicon(a)) - Number(isFavicon(b)));
  const lines = rows.length === 0 ? [] : table([HEADING, ...rows.map((flow) => cells(flow, redactor))]);
  const left = all.filter((_, index) => !kept.has(index));
  if (left.length > 0) lines.push(leftOut(left));
  return [...lines, ...others].join('\n');
}

/**
 * A flow in one line, to be listed in messages:
 * `POST https://app.test/upload → 204 (1.2 kB up, 3 B down, request streamed in 12 pieces)`,
 * `GET wss://app.test/live → 101 (WebSocket: 3 messages up, 12 down, 1.2 kB up, 40 kB down, closed 1000 by client)`.
 */
export function describeFlow(flow: HttpFlow, options: { redact?: Redact } = {}): string {
  const { request, outcome, facts } = flowWords(flow, options);
  return `${request} → ${outcome} (${facts})`;
}

/** The parts of {@link describeFlow}'s line. */
export interface FlowWords {
  request: string;
  outcome: string;
  facts: string;
}

/** @param options `ended`: says of a flow that is over which bodies were recorded, and how long it took */
export function flowWords(flow: HttpFlow, options: { redact?: Redact; ended?: boolean } = {}): FlowWords {
  const redactor = new Redactor(options.redact);
  const facts =
    flow.websocket === undefined
      ? bodyFacts(flow, options.ended === true)
      : [`WebSocket: ${socketFacts(flow, flow.websocket, redactor).join(', ')}`];
  if (options.ended === true) facts.push(durationOf(flow));
  const outcome: string[] = [];
  if (flow.response !== undefined) outcome.push(String(flow.response.status));
  if (shownError(flow) !== undefined) outcome.push(errorText(flow, redactor));
  if (outcome.length === 0) outcome.push('no response yet');
  const url = shortenUrl(printable(redactor.url(flow.request.url)), 200);
  return {
    request: `${printable(flow.request.method)} ${url}`,
    outcome: outcome.join(', '),
    facts: facts.join(', '),
  };
}

/** `1 piece`, `12 pieces`, as sent on. */
export function countPieces(message: Message): string {
  const { count } = message.transfer.sent.pieces;
  return `${count} ${count === 1 ? 'piece' : 'pieces'}`;
}

/** Body octets the client sent; of a WebSocket, those of its messages. */
export function bytesUp(flow: HttpFlow): number {
  if (flow.websocket !== undefined) return socketTotals(flow.websocket).up.bytes;
  return flow.request.transfer.received.bytes;
}

/** Body octets the client was sent; of a WebSocket, those of the server's messages. */
export function bytesDown(flow: HttpFlow): number {
  if (flow.websocket !== undefined) return socketTotals(flow.websocket).down.bytes;
  return flow.response?.transfer.sent.bytes ?? 0;
}

/** `in flight`, `open` of a WebSocket, or how long it took. */
export function durationOf(flow: HttpFlow): string {
  if (!isInFlight(flow)) return formatDuration(timesOf(flow).total);
  return flow.websocket === undefined ? 'in flight' : 'open';
}

function bodyFacts(flow: HttpFlow, sayRecorded: boolean): string[] {
  const facts = [`${formatBytes(bytesUp(flow))} up`, `${formatBytes(bytesDown(flow))} down`];
  for (const [name, message] of [['request', flow.request] as const, ['response', flow.response] as const]) {
    if (message?.bodyStatus === 'streamed') facts.push(`${name} streamed in ${countPieces(message)}`);
    else if (sayRecorded && (message?.transfer.received.bytes ?? 0) > 0) facts.push(`${name} recorded`);
  }
  if (flow.preflight) facts.push('CORS preflight');
  const events = flow.response?.events;
  if (events !== undefined) facts.push(plural(events.length, 'event'));
  if (isClosedStream(flow)) facts.push(CLOSED_STREAM);
  if (flow.response !== undefined && isInFlight(flow)) facts.push('not complete');
  return facts;
}

function cells(flow: HttpFlow, redactor: Redactor): string[] {
  const { request, response } = flow;
  const error = shownError(flow);
  return [
    printable(request.method),
    shortenUrl(printable(redactor.url(request.url)), URL_WIDTH),
    error?.code ?? (response === undefined ? 'pending' : String(response.status)),
    formatBytes(bytesUp(flow)),
    formatBytes(bytesDown(flow)),
    bodies(flow),
    durationOf(flow),
    note(flow, redactor),
  ];
}

function note(flow: HttpFlow, redactor: Redactor): string {
  const error = shownError(flow);
  if (error !== undefined) {
    const seen = flow.response === undefined ? '' : `after a ${flow.response.status}: `;
    return clip(seen + printable(redactor.sentence(flow, error.message)), NOTE_WIDTH);
  }
  const notes = isClosedStream(flow) ? [CLOSED_STREAM] : [];
  const end = flow.websocket === undefined ? 'open' : endOf(flow, flow.websocket, redactor);
  // The column before says `open` already.
  if (end !== 'open') notes.push(end);
  if (flow.warnings.length > 0) notes.push(plural(flow.warnings.length, 'warning'));
  if (notes.length === 0 && flow.preflight) return 'CORS preflight';
  return clip(notes.join(', '), NOTE_WIDTH);
}

/**
 * `recorded`, or which of the bodies were streamed in how many pieces; of a WebSocket how many messages, of an event
 * stream how many events.
 */
function bodies(flow: HttpFlow): string {
  const { websocket } = flow;
  if (websocket !== undefined) {
    return plural(websocket.messages.length, 'message') + (websocket.stream ? ' streamed' : '');
  }
  const events = flow.response?.events;
  const streamed: string[] = [];
  if (flow.request.bodyStatus === 'streamed') streamed.push(`up in ${countPieces(flow.request)}`);
  if (flow.response?.bodyStatus === 'streamed') {
    streamed.push(
      `down in ${events === undefined ? countPieces(flow.response) : plural(events.length, 'event')}`,
    );
  }
  if (streamed.length > 0) return `streamed ${streamed.join(', ')}`;
  return bytesUp(flow) + bytesDown(flow) > 0 ? 'recorded' : '-';
}

function errorText(flow: HttpFlow, redactor: Redactor): string {
  const { code = '', message = '' } = flow.error ?? {};
  const text = clip(printable(redactor.sentence(flow, message)), 200);
  return text === '' ? code : `${code}: ${text}`;
}

function table(rows: string[][]): string[] {
  const widths = HEADING.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        RIGHT.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function leftOut(flows: HttpFlow[]): string {
  const failed = flows.filter((flow) => shownError(flow) !== undefined).length;
  const which = failed === 0 ? '' : ` (${failed} of them failed)`;
  return `… ${flows.length} more ${flows.length === 1 ? 'flow' : 'flows'} left out${which}`;
}

/** Negative if `a` should rather be kept than `b`. */
function byWorth(flows: readonly HttpFlow[], a: number, b: number): number {
  return rank(flows[a]) - rank(flows[b]) || b - a;
}

function rank(flow: HttpFlow | undefined): number {
  if (flow === undefined) return 9;
  if (shownError(flow) !== undefined) return isFavicon(flow) ? 1 : 0;
  if (isFavicon(flow)) return 5;
  if ((flow.response?.status ?? 0) >= 400) return 2;
  return flow.preflight ? 4 : 3;
}

function isFavicon(flow: HttpFlow): boolean {
  return /^[a-z]+:\/\/[^/]*\/favicon\.ico(?:[?#]|$)/i.test(flow.request.url);
}
