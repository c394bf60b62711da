/**
 * Flows for tests: plain objects with the interfaces of `flow/types.ts`, so that what reads flows can be tested
 * without a proxy.
 * @module
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { type FlowError, SluiceError } from '../../errors.js';
import { ServerSentEventRecord } from '../../flow/events.js';
import { Headers } from '../../flow/headers.js';
import type {
  ServerSentEvent,
  WebSocketData,
  WebSocketPeer,
  WebSocketPing,
} from '../../flow/payload-types.js';
import type {
  BodyStatus,
  HttpFlow,
  HttpInformational,
  HttpRequest,
  HttpResponse,
  Message,
  PartRecord,
  ServerInfo,
  Side,
} from '../../flow/types.js';
import { type MessageFacts, WebSocketMessageRecord, WebSocketRecord } from '../../flow/websocket.js';

type Fields = [name: string, value: string][];

/** A message to make. */
export interface MessageSpec {
  headers?: Fields;
  trailers?: Fields;
  /** As sent, that is content-encoded. */
  body?: string | Buffer;
  /** Default `recorded`. A streamed body is counted and forgotten. */
  bodyStatus?: BodyStatus;
  /** Default `true`. */
  complete?: boolean;
  /** What left, if a transform or hook changed it. */
  sent?: string | Buffer;
  /** Default 4096. */
  pieceSize?: number;
  parts?: PartRecord[];
  /** Milliseconds since the epoch. */
  startedAt?: number;
  /** `null`: not yet. */
  endedAt?: number | null;
  /** Over the body's own, to say what a truncated log would. */
  truncated?: boolean;
  /** Default `true`. */
  digest?: boolean;
  httpVersion?: string;
}

/** A message of a WebSocket to make. */
export interface SocketMessageSpec extends Partial<Omit<MessageFacts, 'parts'>> {
  /** Text if it is a string. */
  data: string | Buffer;
  dropped?: boolean;
  edited?: boolean;
  /** Octets that are kept. */
  kept?: number;
}

/** A WebSocket to make. */
export interface SocketSpec {
  stream?: boolean;
  /** 10 ms after each other, the first 20 ms after the request, unless they say otherwise. */
  messages?: SocketMessageSpec[];
  /** Milliseconds since the epoch. */
  pings?: { at: number; from?: WebSocketPeer; type?: WebSocketPing['type']; data?: string }[];
  /** Absent: it is open. */
  close?: { code?: number; reason?: string; by?: WebSocketPeer };
  /** Default: whether there is a `close`. */
  closed?: boolean;
}

/** A server-sent event to make; 10 ms after each other, the first 20 ms after the request. */
export type EventSpec = Partial<Omit<ServerSentEvent, 'json'>> & { data: string };

/** A flow to make. */
export interface FlowSpec {
  id?: string;
  method?: string;
  url?: string;
  request?: MessageSpec;
  /** `undefined`: an empty 200; `null`: none. */
  response?: (MessageSpec & { status?: number; statusText?: string; events?: EventSpec[] }) | null;
  preflight?: boolean;
  error?: FlowError;
  warnings?: string[];
  informational?: HttpInformational[];
  /** `null`: the origin was never reached. */
  server?: Partial<ServerInfo> | null;
  /** Makes the flow a handshake: 101, without a body. */
  websocket?: SocketSpec;
}

/** The first flow's start: 2026-01-02T03:04:05.678Z. */
export const EPOCH = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

const SWITCHED: NonNullable<FlowSpec['response']> = {
  status: 101,
  statusText: 'Switching Protocols',
  headers: [['Upgrade', 'websocket']],
  bodyStatus: 'streamed',
  endedAt: null,
};

let made = 0;

export function makeFlow(spec: FlowSpec = {}): HttpFlow {
  const url = spec.url ?? 'https://app.test/';
  const start = spec.request?.startedAt ?? EPOCH;
  const request: HttpRequest = Object.assign(
    message({ startedAt: start, endedAt: start + 2, ...spec.request }),
    {
      method: spec.method ?? 'GET',
      url,
      path: url.replace(/^[a-z]+:\/\/[^/?#]*/i, '') || '/',
      httpVersion: spec.request?.httpVersion ?? '1.1',
    },
  );
  const answer = spec.response === undefined ? (spec.websocket === undefined ? {} : SWITCHED) : spec.response;
  const response: HttpResponse | undefined =
    answer === null
      ? undefined
      : Object.assign(message({ startedAt: start + 12, endedAt: start + 40, ...answer }), {
          status: answer.status ?? 200,
          statusText: answer.statusText ?? 'OK',
          httpVersion: answer.httpVersion ?? '1.1',
          events: answer.events?.map((event, i) => serverSent(event, start + 20 + 10 * i)),
          eventsTruncated: false,
          waitForEvent: async () => refuse(),
        });
  return {
    id: spec.id ?? `flow-${++made}`,
    type: 'http',
    preflight: spec.preflight ?? false,
    client: { id: 7, address: '127.0.0.1', port: 50123, tunnel: 'app.test:443', tls: true, sni: 'app.test' },
    server:
      spec.server === null
        ? undefined
        : { address: '192.0.2.7', port: 443, tls: true, reused: false, ...spec.server },
    request,
    response,
    websocket: spec.websocket === undefined ? undefined : webSocket(spec.websocket, start),
    informational: spec.informational ?? [],
    error: spec.error,
    warnings: spec.warnings ?? [],
    metadata: new Map(),
    respond: refuse,
    kill: refuse,
  };
}

function serverSent(spec: EventSpec, timestamp: number): ServerSentEvent {
  const parsed = { event: 'message', id: '', retry: undefined, ...spec };
  return new ServerSentEventRecord(parsed, spec.timestamp ?? timestamp);
}

function webSocket(spec: SocketSpec, start: number): WebSocketData {
  const owner = { warn: refuse };
  const record = new WebSocketRecord(
    owner,
    { stream: spec.stream ?? false, control: { send: refuse } },
    { message: async () => refuse(), close: async () => refuse() },
  );
  for (const { data, dropped, edited, kept, ...facts } of spec.messages ?? []) {
    const bytes = Buffer.from(data);
    const made = new WebSocketMessageRecord(owner, {
      from: 'client',
      type: typeof data === 'string' ? 'text' : 'binary',
      timestamp: start + 20 + 10 * record.messages.length,
      parts: [{ bytes, start: 0, end: bytes.length, key: undefined, phase: 0 }],
      fragments: [bytes.length],
      size: bytes.length,
      truncated: false,
      ...facts,
    });
    if (dropped) made.drop();
    made.edited = edited === true;
    if (kept !== undefined) made.truncate(kept);
    record.messages.push(made);
  }
  for (const { at, from = 'client', type = 'ping', data = '' } of spec.pings ?? []) {
    record.pings.push({ from, type, data: Buffer.from(data), timestamp: at });
  }
  const { code, reason, by } = spec.close ?? {};
  if (code !== undefined) Object.assign(record, { closeCode: code, closeReason: reason ?? '', closedBy: by });
  if (spec.closed ?? spec.close !== undefined) {
    record.settle();
    // It ended with the last that was heard, as the flow's other times are made up too.
    const heard = [...record.messages, ...record.pings].map(({ timestamp }) => timestamp);
    record.endedAt = Math.max(start, ...heard);
  }
  return record;
}

function message(spec: MessageSpec): Message {
  const raw = Buffer.from(spec.body ?? '');
  const sent = spec.sent === undefined ? raw : Buffer.from(spec.sent);
  const headers = fields(spec.headers ?? []);
  const kept = spec.bodyStatus === undefined || spec.bodyStatus === 'recorded' ? sent : Buffer.alloc(0);
  const ended = spec.complete !== false && spec.digest !== false;
  const decode = (bytes: Buffer): Buffer => {
    const coding = headers.get('content-encoding');
    if (coding === undefined || bytes.length === 0) return bytes;
    if (coding !== 'gzip') throw new SluiceError('BAD_BODY', `Content-Encoding ${coding} is not known`);
    try {
      return gunzipSync(bytes);
    } catch (cause) {
      throw new SluiceError('BAD_BODY', 'the gzip data is broken', { cause });
    }
  };
  const side = (bytes: Buffer): Side => ({
    bytes: bytes.length,
    ...(ended ? { sha256: sha256(bytes) } : {}),
    ...(ended && headers.get('content-encoding') === 'gzip' && spec.bodyStatus === 'streamed'
      ? { decoded: { bytes: decode(bytes).length, sha256: sha256(decode(bytes)) } }
      : {}),
    pieces: pieces(bytes.length, spec.pieceSize ?? 4096, spec.truncated ?? false),
  });
  const received = side(raw);
  const forwarded = side(sent);
  return {
    headers,
    trailers: spec.trailers === undefined ? undefined : fields(spec.trailers),
    stream: spec.bodyStatus === 'streamed',
    get body() {
      return decode(kept);
    },
    set body(_value) {
      refuse();
    },
    get rawBody() {
      return kept;
    },
    set rawBody(_value) {
      refuse();
    },
    text() {
      const charset = /charset=([^;\s]+)/i.exec(headers.get('content-type') ?? '')?.[1] ?? 'utf-8';
      return new TextDecoder(charset).decode(decode(kept));
    },
    json<T>() {
      return JSON.parse(this.text()) as T;
    },
    formData: async () => refuse(),
    bodyStatus: spec.bodyStatus ?? 'recorded',
    complete: spec.complete ?? true,
    parts: spec.parts ?? [],
    transfer: {
      received,
      sent: forwarded,
      startedAt: spec.startedAt ?? EPOCH,
      firstByteAt: raw.length > 0 ? spec.startedAt : undefined,
      endedAt: spec.endedAt ?? undefined,
    },
  };
}

function fields(list: Fields): Headers {
  return new Headers(list.flat());
}

function pieces(total: number, size: number, truncated: boolean): Side['pieces'] {
  const whole = Math.floor(total / size);
  const rest = total % size;
  const runs: [number, number][] = [];
  if (whole > 0) runs.push([size, whole]);
  if (rest > 0) runs.push([rest, 1]);
  return {
    count: runs.reduce((sum, [, times]) => sum + times, 0),
    runs,
    truncated,
    sizes: () => runs.flatMap(([bytes, times]) => Array<number>(times).fill(bytes)),
  };
}

/** SHA-256, lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function refuse(): never {
  throw new Error('a flow made for tests is only read');
}
