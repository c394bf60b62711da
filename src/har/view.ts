/**
 * What the HTML page shows of a flow when its row is opened: strings only, so that the page's script has nothing to
 * decide.
 * @module
 */
import { isError, messageOf } from '../errors.js';
import { mediaTypeOf } from '../flow/message-facts.js';
import type { HttpFlow, Message, Side } from '../flow/types.js';
import { contentOf } from './content.js';
import { eventsView } from './event-view.js';
import { CLOSED_STREAM, isClosedStream, shownError } from './failure.js';
import type { Redactor } from './redact.js';
import { count, exactBytes, formatBytes, formatDuration, hexDump } from './text.js';
import { timesOf } from './times.js';
import { type SocketView, socketView } from './websocket-view.js';

/** How a body came through. */
export type Verdict =
  | 'intact'
  | 'altered'
  | 'incomplete'
  | 'same size'
  | 'made by the proxy'
  | 'not forwarded'
  | typeof CLOSED_STREAM;

export type Pair = [name: string, value: string];

export interface FlowView {
  facts: Pair[];
  error?: { code: string; message: string; cause?: string };
  warnings: string[];
  informational: { line: string; fields: Pair[] }[];
  request: MessageView;
  response?: MessageView;
  websocket?: SocketView;
  /** Of an event stream. */
  events?: SocketView;
}

export interface MessageView {
  line: string;
  fields: Pair[];
  trailers?: Pair[];
  body: BodyView;
  /** Absent where there was no body. */
  transfer?: { verdict: Verdict; streamed: boolean; rows: [what: string, received: string, sent: string][] };
  parts: string[][];
}

export interface BodyView {
  /** What there is to know besides the text. */
  notes: string[];
  text?: string;
  /** `text` is JSON, to be laid out when it is shown. */
  json?: true;
  /** `text` is only the beginning. */
  cut?: boolean;
  /** The body's octets, for people. */
  size?: string;
  /** A data: URL. */
  image?: string;
  /** It is a WebSocket's message or an event, not a body. */
  of?: 'message';
}

/** The most that is shown of a text, in characters. */
const PREVIEW = 64 * 1024;
/** Images up to here, in octets, are shown. */
const IMAGE = 256 * 1024;
/** JSON up to here, in characters, is checked, so that it can be laid out. */
const PRETTY = 8 * 1024 * 1024;
/** The most that is shown of a header's value, in characters. */
const VALUE = 2048;
const FIELDS = 200;
const PARTS = 100;
const RUNS = 12;

/** @param socketRows how many rows of a WebSocket's messages, or of events, are shown */
export function viewOf(flow: HttpFlow, redactor: Redactor, socketRows = 400): FlowView {
  const { request, response } = flow;
  const error = shownError(flow);
  const view: FlowView = {
    facts: factsOf(flow),
    warnings: flow.warnings.map((text) => redactor.sentence(flow, text)),
    informational: flow.informational.map((interim) => ({
      line: `${interim.status} ${interim.statusText}`,
      fields: fieldsOf(redactor.fields(interim.headers)),
    })),
    request: messageView(flow, request, redactor),
  };
  view.request.line = `${request.method} ${clip(redactor.url(request.url), 8192)} HTTP/${request.httpVersion}`;
  if (response !== undefined) {
    view.response = messageView(flow, response, redactor);
    view.response.line = `HTTP/${response.httpVersion} ${response.status} ${response.statusText}`;
  }
  if (flow.websocket !== undefined) {
    view.websocket = socketView(flow, flow.websocket, redactor, socketRows);
    // After a handshake there is no body.
    if (view.response !== undefined) view.response.body = { notes: [] };
  }
  const events = response?.events;
  if (events !== undefined) view.events = eventsView(flow, events, socketRows);
  if (error !== undefined) {
    view.error = { code: error.code, message: redactor.sentence(flow, error.message) };
    const cause = error.cause === undefined ? '' : redactor.sentence(flow, causeText(error.cause));
    if (cause !== '' && cause !== error.message) view.error.cause = clip(cause, 4096);
  }
  return view;
}

/** Whether what was sent on is what was received, as far as the record can tell; `undefined` without a body. */
export function verdictOf(flow: HttpFlow, message: Message): Verdict | undefined {
  const { received, sent } = message.transfer;
  if (received.bytes === 0 && sent.bytes === 0)
    return message.bodyStatus === 'streamed' && !message.complete ? 'incomplete' : undefined;
  if (flow.server === undefined) return message === flow.response ? 'made by the proxy' : 'not forwarded';
  if (!message.complete)
    return message === flow.response && isClosedStream(flow) ? CLOSED_STREAM : 'incomplete';
  if (received.bytes !== sent.bytes) return 'altered';
  if (received.sha256 === undefined || sent.sha256 === undefined) return 'same size';
  return received.sha256 === sent.sha256 ? 'intact' : 'altered';
}

function messageView(flow: HttpFlow, message: Message, redactor: Redactor): MessageView {
  const view: MessageView = {
    line: '',
    fields: fieldsOf(redactor.fields(message.headers)),
    body: bodyView(message),
    parts: partsOf(message),
  };
  if (message.trailers !== undefined) view.trailers = fieldsOf(redactor.fields(message.trailers));
  const verdict = verdictOf(flow, message);
  if (verdict === undefined) return view;
  const { received, sent } = message.transfer;
  const rows: [string, string, string][] = [
    ['bytes', exactBytes(received.bytes), exactBytes(sent.bytes)],
    ['pieces', piecesText(received), piecesText(sent)],
    digestRow('SHA-256', received.sha256, sent.sha256),
  ];
  // Computed when read, so read once.
  const [before, after] = [received.decoded, sent.decoded];
  if (before !== undefined || after !== undefined) {
    const bytes = (content: Side['decoded']) => (content === undefined ? '–' : exactBytes(content.bytes));
    rows.push(['decoded bytes', bytes(before), bytes(after)]);
    rows.push(digestRow('decoded SHA-256', before?.sha256, after?.sha256));
  }
  view.transfer = { verdict, streamed: message.bodyStatus === 'streamed', rows };
  return view;
}

function digestRow(
  what: string,
  received: string | undefined,
  sent: string | undefined,
): [string, string, string] {
  const same = sent !== undefined && received === sent;
  return [what, received ?? '–', same ? 'the same' : (sent ?? '–')];
}

function bodyView(message: Message): BodyView {
  const content = contentOf(message);
  const notes = content.note === undefined ? [] : [content.note];
  if (content.kind === 'empty' || content.kind === 'streamed') return { notes };
  if (content.kind === 'text') {
    const text = content.text.slice(0, PREVIEW);
    const json = isJson(message, content.text) ? { json: true as const } : {};
    return { notes, text, ...json, cut: text.length < content.text.length, size: exactBytes(content.size) };
  }
  const type = mediaTypeOf(message);
  if (!content.encoded && /^image\/(?:png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)$/.test(type)) {
    if (content.size < IMAGE)
      return { notes, image: `data:${type};base64,${content.bytes.toString('base64')}` };
    notes.push(`An image of ${formatBytes(content.size)}, too large to be shown here.`);
    return { notes };
  }
  notes.push(`${formatBytes(content.size)} of binary data, beginning with:`);
  return { notes, text: hexDump(content.bytes.subarray(0, 256)) };
}

/** Text that says it is JSON and is not would be distorted by the layout. */
function isJson(message: Message, text: string): boolean {
  if (text.length > PRETTY || !/[/+]json$/.test(mediaTypeOf(message))) return false;
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function factsOf(flow: HttpFlow): Pair[] {
  const { client, server } = flow;
  const times = timesOf(flow);
  const facts: Pair[] = [
    ['started', new Date(times.start).toISOString()],
    ['client', `${client.address}:${client.port}, connection ${client.id}${client.tls ? ', TLS' : ''}`],
  ];
  if (client.tunnel !== undefined) facts.push(['tunnel', client.tunnel]);
  if (client.sni !== undefined && client.sni !== client.tunnel?.replace(/:\d+$/, ''))
    facts.push(['SNI', client.sni]);
  if (server === undefined) facts.push(['origin', 'not contacted, or not reached']);
  else {
    const via = server.via === undefined ? '' : `, through ${server.via}`;
    const reused = server.reused ? ', connection reused' : '';
    facts.push(['origin', `${server.address}:${server.port}${server.tls ? ', TLS' : ''}${reused}${via}`]);
  }
  const phases = (['send', 'wait', 'receive'] as const).filter((phase) => times[phase] >= 0);
  if (phases.length > 0) {
    const nameOf = (phase: string) =>
      phase === 'receive' && flow.websocket !== undefined ? 'messages' : phase;
    const texts = phases.map((phase) => `${nameOf(phase)} ${formatDuration(times[phase])}`);
    facts.push(['timing', texts.join(' · ')]);
  }
  if (flow.preflight) facts.push(['kind', 'CORS preflight']);
  facts.push(['flow', flow.id]);
  return facts;
}

function partsOf(message: Message): string[][] {
  const rows = message.parts
    .slice(0, PARTS)
    .map((part) => [
      clip(part.name ?? '', VALUE),
      clip(part.filename ?? '', VALUE),
      clip(part.contentType ?? '', VALUE),
      `${count(part.bytes)} B`,
      part.sha256 ?? '–',
    ]);
  if (message.parts.length > PARTS) rows.push([`… ${message.parts.length - PARTS} more`, '', '', '', '']);
  return rows;
}

function fieldsOf(fields: Pair[]): Pair[] {
  const shown = fields.slice(0, FIELDS).map<Pair>(([name, value]) => [clip(name, VALUE), clip(value, VALUE)]);
  if (fields.length > FIELDS) shown.push([`… ${fields.length - FIELDS} more`, '']);
  return shown;
}

/** `1 × 75`, `289 (288 × 4,096 + 352)` */
function piecesText({ pieces }: Side): string {
  const [first] = pieces.runs;
  if (first === undefined || pieces.count === 0) return count(pieces.count);
  if (pieces.runs.length === 1 && !pieces.truncated) return `${count(first[1])} × ${count(first[0])}`;
  const runs = pieces.runs
    .slice(0, RUNS)
    .map(([size, times]) => (times === 1 ? '' : `${count(times)} × `) + count(size));
  if (pieces.runs.length > RUNS || pieces.truncated) runs.push('…');
  return `${count(pieces.count)} (${runs.join(' + ')})`;
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${count(text.length - length)} more)`;
}

function causeText(cause: unknown): string {
  return isError(cause) ? (cause.stack ?? cause.message) : messageOf(cause);
}
