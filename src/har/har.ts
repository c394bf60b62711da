/**
 * Flows as HAR 1.2, for browsers' network panels and other tools.
 * @module
 */
import { isIP } from 'node:net';
import { withoutBrackets } from '../flow/authority.js';
import { mediaTypeOf } from '../flow/message-facts.js';
import type { TcpFlow } from '../flow/tcp-types.js';
import type { HttpFlow, HttpRequest, HttpResponse, PartRecord, Side } from '../flow/types.js';
import { bodySize, type Content, contentOf } from './content.js';
import { requestCookies, responseCookies } from './cookies.js';
import { eventEntry } from './event-har.js';
import { type Redact, Redactor } from './redact.js';
import { byType } from './tcp.js';
import { type FlowTimes, isInFlight, startOf, timesOf } from './times.js';
import type {
  Har,
  HarContent,
  HarEntry,
  HarField,
  HarMessage,
  HarParam,
  HarPostData,
  HarRequest,
  HarResponse,
  HarSide,
  HarTimings,
} from './types.js';
import { socketEntry } from './websocket-har.js';
import { leftOut, MAX_TEXT, type Writer } from './writer.js';

/** Options of {@link toHar}. */
export interface HarOptions {
  /**
   * Header fields whose values are written as `[redacted]`. Default `authorization`, `cookie`, `set-cookie` and
   * `proxy-authorization`; `false` writes everything.
   */
  redact?: Redact;
}

/** Who writes it. The version is the package's. */
export const HAR_CREATOR = { name: 'sluice', version: '0.1.0' };

/** What Sec-Fetch-Dest says about a request, in DevTools' words. `empty` could be fetch, XHR or others. */
const RESOURCE_TYPES: Readonly<Record<string, string>> = {
  document: 'document',
  iframe: 'document',
  frame: 'document',
  script: 'script',
  style: 'stylesheet',
  image: 'image',
  font: 'font',
  audio: 'media',
  video: 'media',
  track: 'texttrack',
  manifest: 'manifest',
  report: 'cspviolationreport',
};

const IN_FLIGHT = {
  flow: 'This flow was still in flight when the file was written.',
  websocket: 'This WebSocket was still open when the file was written.',
};

/**
 * Writes flows as HAR 1.2. Flows still in flight are written as far as they got; failed ones have status 0 (or the
 * status that had been seen) and `_failureText`. Streamed bodies are not in the file: `_streamed` and `_transfer` say
 * what is known of them. Messages of WebSockets are in `_webSocketMessages`, server-sent events in
 * `_eventSourceMessages`. TCP flows are left out: HAR has nothing for them.
 * @throws SluiceError BAD_OPTION for a `redact` that is neither a list of names nor `false`
 */
export function toHar(flows: Iterable<HttpFlow | TcpFlow>, options: HarOptions = {}): Har {
  const writer: Writer = { redactor: new Redactor(options.redact), left: MAX_TEXT };
  const sorted = byType(flows).http.sort((a, b) => startOf(a) - startOf(b));
  return {
    log: {
      version: '1.2',
      creator: { ...HAR_CREATOR },
      entries: sorted.map((flow) => entryOf(flow, writer)),
    },
  };
}

function entryOf(flow: HttpFlow, writer: Writer): HarEntry {
  const { redactor } = writer;
  const times = timesOf(flow);
  const timings = timingsOf(times);
  const entry: HarEntry = {
    startedDateTime: new Date(times.start).toISOString(),
    time: Math.max(0, timings.send) + Math.max(0, timings.wait) + Math.max(0, timings.receive),
    request: requestOf(flow, writer),
    response: responseOf(flow, writer),
    cache: {},
    timings,
    connection: String(flow.client.id),
  };
  if (flow.server !== undefined) {
    const address = withoutBrackets(flow.server.address);
    if (isIP(address) !== 0) entry.serverIPAddress = address;
    entry._serverPort = flow.server.port;
  }
  const type = resourceType(flow);
  if (type !== undefined) entry._resourceType = type;
  const notes: string[] = [];
  if (flow.websocket !== undefined) {
    const { notes: missing, ...fields } = socketEntry(flow, flow.websocket, writer);
    Object.assign(entry, fields);
    notes.push(...missing);
  }
  if (flow.response?.events !== undefined) {
    const { notes: missing, ...fields } = eventEntry(flow.response, writer);
    Object.assign(entry, fields);
    notes.push(...missing);
  }
  if (isInFlight(flow)) notes.unshift(IN_FLIGHT[flow.websocket === undefined ? 'flow' : 'websocket']);
  if (notes.length > 0) entry.comment = notes.join(' ');
  if (flow.informational.length > 0) {
    entry._informational = flow.informational.map((interim) => ({
      status: interim.status,
      statusText: interim.statusText,
      headers: named(redactor.fields(interim.headers)),
      time: new Date(interim.timestamp).toISOString(),
    }));
  }
  if (flow.warnings.length > 0) entry._warnings = flow.warnings.map((text) => redactor.sentence(flow, text));
  return entry;
}

function requestOf(flow: HttpFlow, writer: Writer): HarRequest {
  const { request } = flow;
  const { redactor } = writer;
  const startLine = `${request.method} ${request.path} HTTP/${request.httpVersion}`;
  const postData = postDataOf(request, writer);
  return {
    method: request.method,
    url: redactor.url(request.url),
    ...messageFields(request, startLine, writer),
    cookies: requestCookies(request.headers, redactor),
    queryString: queryOf(request.url),
    ...(postData === undefined ? {} : { postData }),
  };
}

function responseOf(flow: HttpFlow, writer: Writer): HarResponse {
  const { request, response, error } = flow;
  const { redactor } = writer;
  const failure =
    error === undefined ? {} : { _failureText: redactor.sentence(flow, `${error.code}: ${error.message}`) };
  if (response === undefined) {
    return {
      status: 0,
      statusText: '',
      httpVersion: `HTTP/${request.httpVersion}`,
      cookies: [],
      headers: [],
      content: { size: 0, mimeType: 'x-unknown' },
      redirectURL: '',
      headersSize: -1,
      bodySize: -1,
      _transferSize: -1,
      ...failure,
    };
  }
  const startLine = `HTTP/${response.httpVersion} ${response.status} ${response.statusText}`;
  const location = response.headers.get('location');
  const message = messageFields(response, startLine, writer);
  // After a handshake there is no body: the messages are what passed through.
  const content =
    flow.websocket === undefined
      ? contentField(response, writer)
      : { size: 0, mimeType: response.headers.get('content-type') ?? 'x-unknown' };
  if (flow.websocket !== undefined) {
    delete message._streamed;
    delete message._transfer;
  }
  return {
    status: response.status,
    statusText: response.statusText,
    ...message,
    cookies: responseCookies(response.headers, redactor, response.transfer.startedAt),
    content,
    redirectURL: location === undefined ? '' : redactor.value('location', location),
    _transferSize: message.headersSize + message.bodySize,
    ...failure,
  };
}

function messageFields(
  message: HttpRequest | HttpResponse,
  startLine: string,
  { redactor }: Writer,
): Omit<HarMessage, 'cookies'> {
  const { received, sent } = message.transfer;
  let headersSize = Buffer.byteLength(startLine, 'latin1') + 4;
  for (const [name, value] of message.headers) headersSize += name.length + value.length + 4;
  const result: Omit<HarMessage, 'cookies'> = {
    httpVersion: `HTTP/${message.httpVersion}`,
    headers: named(redactor.fields(message.headers)),
    headersSize,
    bodySize: bodySize(message),
  };
  if (message.bodyStatus === 'streamed') result._streamed = true;
  if (message.bodyStatus === 'streamed' || received.bytes > 0 || sent.bytes > 0) {
    result._transfer = { received: sideOf(received), sent: sideOf(sent) };
  }
  if (message.trailers !== undefined) result._trailers = named(redactor.fields(message.trailers));
  return result;
}

function postDataOf(request: HttpRequest, writer: Writer): HarPostData | undefined {
  const content = contentOf(request);
  if (content.kind === 'empty') return undefined;
  const data: HarPostData = {
    mimeType: request.headers.get('content-type') ?? 'x-unknown',
    params: request.parts.map(paramOf),
  };
  const embedded = embed(content, writer);
  if (embedded.text !== undefined) data.text = embedded.text;
  if (embedded.encoding !== undefined) data._encoding = embedded.encoding;
  if (embedded.comment !== undefined) data.comment = embedded.comment;
  if (content.kind === 'text' && mediaTypeOf(request) === 'application/x-www-form-urlencoded') {
    data.params = [...new URLSearchParams(content.text)].map(([name, value]) => ({ name, value }));
  }
  return data;
}

function contentField(response: HttpResponse, writer: Writer): HarContent {
  const content = contentOf(response);
  const mimeType = response.headers.get('content-type') ?? 'x-unknown';
  const { sent } = response.transfer;
  if (content.kind === 'empty') return { size: 0, mimeType, text: '' };
  const size = content.kind === 'streamed' ? (sent.decoded?.bytes ?? sent.bytes) : content.size;
  const decoded =
    content.kind === 'streamed' ? sent.decoded !== undefined : content.kind === 'text' || !content.encoded;
  const result: HarContent = { size, mimeType, ...embed(content, writer) };
  if (decoded && response.headers.has('content-encoding')) result.compression = size - bodySize(response);
  return result;
}

function embed(content: Content, writer: Writer): Pick<HarContent, 'text' | 'encoding' | 'comment'> {
  const comment = content.note === undefined ? {} : { comment: content.note };
  if (content.kind === 'empty' || content.kind === 'streamed') return comment;
  const cost = content.kind === 'text' ? content.text.length : Math.ceil(content.bytes.length / 3) * 4;
  if (cost > writer.left) {
    const left = leftOut(`The body (${content.size} bytes) was`);
    return { comment: content.note === undefined ? left : `${content.note} ${left}` };
  }
  writer.left -= cost;
  if (content.kind === 'text') return { text: content.text, ...comment };
  return { text: content.bytes.toString('base64'), encoding: 'base64', ...comment };
}

function paramOf(part: PartRecord): HarParam {
  const digest = part.sha256 === undefined ? '' : `, SHA-256 ${part.sha256}`;
  return {
    name: part.name ?? '',
    ...(part.filename === undefined ? {} : { fileName: part.filename }),
    ...(part.contentType === undefined ? {} : { contentType: part.contentType }),
    comment: `${part.bytes} bytes${digest}`,
  };
}

function sideOf(side: Side): HarSide {
  // Digests of recorded bodies are computed when read.
  const { bytes, sha256, decoded, partial } = side;
  const { count, runs, truncated } = side.pieces;
  return {
    bytes,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(decoded === undefined ? {} : { decoded: { ...decoded } }),
    ...(partial === undefined ? {} : { partial: { ...partial } }),
    pieces: { count, runs: runs.map(([size, times]) => [size, times]), ...(truncated ? { truncated } : {}) },
  };
}

function timingsOf({ send, wait, receive }: FlowTimes): HarTimings {
  return { blocked: -1, dns: -1, connect: -1, ssl: -1, send, wait, receive };
}

function queryOf(url: string): HarField[] {
  const at = url.indexOf('?');
  return at < 0 ? [] : named(new URLSearchParams(url.slice(at + 1).replace(/#.*$/s, '')));
}

function resourceType(flow: HttpFlow): string | undefined {
  if (flow.preflight) return 'preflight';
  if (flow.websocket !== undefined || /^wss?:/i.test(flow.request.url)) return 'websocket';
  if (flow.request.headers.get('accept') === 'text/event-stream') return 'eventsource';
  return RESOURCE_TYPES[flow.request.headers.get('sec-fetch-dest') ?? ''];
}

function named(fields: Iterable<[name: string, value: string]>): HarField[] {
  return Array.from(fields, ([name, value]) => ({ name, value }));
}
