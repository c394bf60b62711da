/**
 * HTTP/2 for tests: frames byte by byte, written without node:http2, and node:http2 on both ends.
 * @module
 */
import { once } from 'node:events';
import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type SessionOptions,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { openTunnel, secured } from '../listen/testing/tunnels.js';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';
import type { RawPeer } from './raw-peer.js';
import type { Stage } from './with-proxy.js';

/** Types of frames (RFC 9113 section 6). */
export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;

/** Codes of errors (RFC 9113 section 7). */
export const CODE = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** @param length what is stated, if that is not what there is */
export function frame(
  type: number,
  {
    flags = 0,
    stream = 0,
    payload = '',
    length,
  }: { flags?: number; stream?: number; payload?: string | Uint8Array; length?: number } = {},
): Buffer {
  const bytes = Buffer.from(payload as string);
  const head = Buffer.alloc(9);
  head.writeUIntBE(length ?? bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** @param values by number (RFC 9113 section 6.5.2) */
export function settings(values: [id: number, value: number][] = []): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [i, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return frame(TYPE.SETTINGS, { payload });
}

/** SETTINGS_HEADER_TABLE_SIZE */
const NO_TABLE: [number, number] = [1, 0];

export const SETTINGS_ACK = frame(TYPE.SETTINGS, { flags: ACK });

/** @param flags besides END_HEADERS */
export function headers(stream: number, fields: [string, string][], flags = END_STREAM): Buffer {
  return frame(TYPE.HEADERS, { stream, flags: flags | END_HEADERS, payload: fieldBlock(fields) });
}

/** The pseudo fields of a request, and others after them. */
export function request(authority: string, path = '/', more: [string, string][] = []): [string, string][] {
  const pseudo: [string, string][] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', authority],
    [':path', path],
  ];
  const replaced = new Set(more.map(([name]) => name));
  return [...pseudo.filter(([name]) => !replaced.has(name)), ...more].sort(
    ([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')),
  );
}

export function data(stream: number, payload: string | Uint8Array, flags = 0): Buffer {
  return frame(TYPE.DATA, { stream, flags, payload });
}

export function reset(stream: number, code: number): Buffer {
  return frame(TYPE.RST_STREAM, { stream, payload: uint32(code) });
}

export function windowUpdate(stream: number, by: number): Buffer {
  return frame(TYPE.WINDOW_UPDATE, { stream, payload: uint32(by) });
}

export function goaway(code: number, lastStream = 0): Buffer {
  return frame(TYPE.GOAWAY, { payload: Buffer.concat([uint32(lastStream), uint32(code)]) });
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Fields as HPACK writes them without its tables (RFC 7541 section 6.2.2): nothing is remembered. */
export function fieldBlock(fields: [string, string][]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const size = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left = Math.floor(left / 128)) size.push((left % 128) | 128);
  return Buffer.concat([Buffer.from([...size, left]), bytes]);
}

/**
 * The status that a block of fields begins with: an entry of HPACK's static table, or three digits. The other end must
 * not use its dynamic table, as a {@link FramePeer} asks for.
 */
export function statusOf({ payload }: Frame): number {
  let at = 0;
  // A new size of the dynamic table.
  while (((payload[at] ?? 0) & 0xe0) === 0x20) at++;
  const known = [200, 204, 206, 304, 400, 404, 500][(payload[at] ?? 0) - 0x88];
  if (known !== undefined) return known;
  const size = payload[at + 1] ?? 0;
  const text = payload.subarray(at + 2, at + 2 + (size & 0x7f));
  if ((size & 0x80) === 0) return Number(text.toString('latin1'));
  let bits = '';
  for (const octet of text) bits += octet.toString(2).padStart(8, '0');
  // Digits in HPACK's Huffman code (RFC 7541 appendix B).
  const digits = [...bits.matchAll(/000(?:00|01|10)|011(?:001|01\d|1\d\d)/g)].map(([code]) => {
    const value = Number.parseInt(code, 2);
    return code.length === 5 ? value : value - 22;
  });
  return Number(digits.slice(0, 3).join(''));
}

/** The code of RST_STREAM or GOAWAY. */
export function codeOf({ type, payload }: Frame): number {
  return payload.readUInt32BE(type === TYPE.GOAWAY ? 4 : 0);
}

/** One end of an HTTP/2 connection, frame by frame. Frames that were read are kept in `seen`. */
export class FramePeer {
  readonly seen: Frame[] = [];

  constructor(readonly peer: RawPeer) {}

  /** Begins as a client: preface and settings, and the server's acknowledged. */
  static async client(peer: RawPeer, values: [id: number, value: number][] = []): Promise<FramePeer> {
    const framed = new FramePeer(peer);
    await peer.send(PREFACE, settings([NO_TABLE, ...values]));
    await framed.until((got) => got.type === TYPE.SETTINGS && got.flags === 0);
    await peer.send(SETTINGS_ACK);
    return framed;
  }

  /** Begins as a server: the client's preface and settings are read and answered. */
  static async server(peer: RawPeer, values: [id: number, value: number][] = []): Promise<FramePeer> {
    const framed = new FramePeer(peer);
    await peer.read(PREFACE);
    await peer.send(settings([NO_TABLE, ...values]));
    await framed.until((got) => got.type === TYPE.SETTINGS && got.flags === 0);
    await peer.send(SETTINGS_ACK);
    return framed;
  }

  send(...frames: Buffer[]): Promise<void> {
    return this.peer.send(...frames);
  }

  async read(): Promise<Frame> {
    const head = await this.peer.read(9);
    const payload = await this.peer.read(head.readUIntBE(0, 3));
    const got: Frame = {
      type: head[3] ?? 0,
      flags: head[4] ?? 0,
      stream: head.readUInt32BE(5) & 0x7fffffff,
      payload: Buffer.from(payload),
    };
    this.seen.push(got);
    return got;
  }

  /** Reads up to the first that `wanted` accepts. */
  async until(wanted: (got: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const got = await this.read();
      if (wanted(got)) return got;
    }
  }

  /** The next frame of that type, and stream if it is given. */
  next(type: number, stream?: number): Promise<Frame> {
    return this.until((got) => got.type === type && (stream === undefined || got.stream === stream));
  }

  /** Reads to the connection's end; gives everything that was ever read. */
  async rest(): Promise<Frame[]> {
    await this.peer.ending;
    while (this.peer.unread.length >= 9) await this.read();
    return this.seen;
  }
}

/** What a request was answered. */
export interface Http2Answer {
  status: number;
  headers: IncomingHttpHeaders;
  informational: IncomingHttpHeaders[];
  body: Buffer;
  trailers: IncomingHttpHeaders | undefined;
  /** The stream's end: 0, or the code it was reset with. */
  code: number;
}

/** Collects what comes on a client's stream, whose request the caller ends. Resolves when it is closed, however. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  const answer: Http2Answer = {
    status: 0,
    headers: {},
    informational: [],
    body: Buffer.alloc(0),
    trailers: undefined,
    code: 0,
  };
  const parts: Buffer[] = [];
  stream.on('headers', (fields) => answer.informational.push(plain(fields)));
  stream.on('response', (fields) => {
    answer.headers = plain(fields);
    answer.status = Number(fields[':status']);
  });
  stream.on('data', (bytes: Buffer) => parts.push(bytes));
  stream.on('trailers', (fields) => {
    answer.trailers = plain(fields);
  });
  // Told by the code.
  stream.on('error', () => undefined);
  return new Promise((resolve) => {
    stream.once('close', () => {
      answer.body = Buffer.concat(parts);
      answer.code = stream.rstCode;
      resolve(answer);
    });
  });
}

/** Without what node:http2 puts there by symbols. */
function plain(fields: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(fields));
}

/** Sends a request and gives what it is answered. */
export function ask(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  body?: string | Uint8Array,
): Promise<Http2Answer> {
  const stream = session.request(fields, { endStream: body === undefined });
  const answer = answerOf(stream);
  if (body !== undefined) stream.end(body);
  return answer;
}

export interface Opening {
  /** The name of TLS in the tunnel; without it there is no TLS, and HTTP/2 is known beforehand. */
  name?: string;
  /** ALPN. Default `h2` and `http/1.1`. */
  protocols?: string[];
  session?: SessionOptions;
}

/** An HTTP/2 connection through CONNECT, by node:http2. It is closed with the stage. */
export async function openHttp2(
  stage: Stage,
  authority: string,
  { name, protocols = ['h2', 'http/1.1'], session: options }: Opening = {},
): Promise<ClientHttp2Session> {
  const { socket } = await openTunnel(stage, authority);
  // It is read by node:http2 from now on.
  socket.removeAllListeners('data');
  if (name === undefined) return overSocket(socket, `http://${authority}`, options);
  const secure = tls.connect({
    socket,
    servername: name,
    ca: stage.proxy.ca.cert,
    ALPNProtocols: protocols,
  });
  return new Promise((resolve, reject) => {
    secure.once('error', reject);
    // At once: the proxy's settings come with the end of the handshake.
    secure.once('secureConnect', () => resolve(overSocket(secure, `https://${authority}`, options)));
  });
}

/** node:http2 over a connection. */
export function overSocket(socket: Socket, origin: string, options: SessionOptions = {}): ClientHttp2Session {
  const session = http2.connect(origin, { ...options, createConnection: () => socket });
  // Told by the streams' codes.
  session.on('error', () => undefined);
  return session;
}

/** Frames through CONNECT, with TLS if a name is given. */
export async function openFrames(stage: Stage, authority: string, name?: string): Promise<FramePeer> {
  const tunnel = await openTunnel(stage, authority);
  if (name === undefined) return FramePeer.client(tunnel);
  const wishes = { servername: name, ca: stage.proxy.ca.cert, ALPNProtocols: ['h2'] };
  return FramePeer.client(await secured(tunnel, wishes));
}

export type StreamHandler = (stream: ServerHttp2Stream, fields: IncomingHttpHeaders) => void;

/** An origin of node:http2, with or without TLS. */
export class Http2Server {
  readonly sessions: ServerHttp2Session[] = [];
  /** The streams there have been. */
  streams = 0;

  private constructor(
    private readonly server: http2.Http2Server | http2.Http2SecureServer,
    readonly port: number,
    /** The CA's certificate, PEM; empty without TLS. */
    readonly ca: string,
  ) {}

  /** @param name what its certificate is for; without it there is no TLS */
  static async listen(
    handler: StreamHandler,
    name?: string,
    options: SessionOptions = {},
  ): Promise<Http2Server> {
    const ca = name === undefined ? undefined : loadCa(caPem());
    const server =
      ca === undefined || name === undefined
        ? http2.createServer(options)
        : http2.createSecureServer({ ...options, ...ca.credentialsFor(name) });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = new Http2Server(server, (server.address() as AddressInfo).port, ca?.cert ?? '');
    server.on('session', (session: ServerHttp2Session) => {
      origin.sessions.push(session);
      session.on('error', () => undefined);
    });
    server.on('stream', (stream: ServerHttp2Stream, fields: IncomingHttpHeaders) => {
      origin.streams++;
      stream.on('error', () => undefined);
      handler(stream, fields);
    });
    return origin;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  close(): void {
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }
}
