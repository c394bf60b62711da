/**
 * WebSockets for tests: frames byte by byte, written without the proxy's own codec, and `ws` on both ends.
 * @module
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { constants, createDeflateRaw, type DeflateRaw } from 'node:zlib';
import { expect } from 'expect';
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import type { WebSocketMessage } from '../flow/payload-types.js';
import type { HttpFlow, WebSocketFlow } from '../flow/types.js';
import type { ProxyOptions } from '../options/types.js';
import type { RawPeer } from './raw-peer.js';
import { type Stage, withProxy } from './with-proxy.js';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
/** The bit of a compressed message. */
export const RSV1 = 4;

export interface FrameInit {
  fin?: boolean;
  rsv?: number;
  /** Writes the length in so many bits, more than it needs. */
  lengthBits?: 16 | 64;
  /** Whether it is masked, where that is against the rules. */
  masked?: boolean;
}

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** A frame as a server sends it. */
export function fromServer(opcode: number, payload: string | Uint8Array = '', init: FrameInit = {}): Buffer {
  const { fin = true, rsv = 0, lengthBits, masked = false } = init;
  const bytes = Buffer.from(payload as string);
  const bits = lengthBits ?? (bytes.length < 126 ? 7 : bytes.length < 65_536 ? 16 : 64);
  const length = Buffer.alloc(bits === 7 ? 0 : bits / 8);
  if (bits === 16) length.writeUInt16BE(bytes.length);
  if (bits === 64) length.writeBigUInt64BE(BigInt(bytes.length));
  const short = bits === 7 ? bytes.length : bits === 16 ? 126 : 127;
  const begin = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | short]);
  if (!masked) return Buffer.concat([begin, length, bytes]);
  return Buffer.concat([begin, length, KEY, bytes.map((octet, i) => octet ^ (KEY[i % 4] ?? 0))]);
}

/** A frame as a client sends it. */
export function fromClient(opcode: number, payload: string | Uint8Array = '', init: FrameInit = {}): Buffer {
  return fromServer(opcode, payload, { masked: true, ...init });
}

/** A frame as that end sends it. */
export const frameFrom = { client: fromClient, server: fromServer };

/** The payload of a close frame. */
export function closing(code: number, reason = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

/** A frame that was read; `text` is its payload. */
export interface Frame {
  opcode: number;
  fin: boolean;
  rsv: number;
  masked: boolean;
  payload: Buffer;
  text: string;
  /** Of a close frame. */
  code: number | undefined;
}

/** Takes a frame. */
export async function readFrame(peer: RawPeer): Promise<Frame> {
  const [first = 0, second = 0] = await peer.read(2);
  const short = second & 127;
  let length = short;
  if (short === 126) length = (await peer.read(2)).readUInt16BE();
  if (short === 127) length = Number((await peer.read(8)).readBigUInt64BE());
  const key = second > 127 ? await peer.read(4) : Buffer.alloc(4);
  const payload = Buffer.from((await peer.read(length)).map((octet, i) => octet ^ (key[i % 4] ?? 0)));
  return {
    opcode: first & 15,
    fin: first > 127,
    rsv: (first >> 4) & 7,
    masked: second > 127,
    payload,
    text: payload.toString(),
    code: (first & 15) === CLOSE && length >= 2 ? payload.readUInt16BE() : undefined,
  };
}

/** Compresses messages one after another, as one end does. */
export class Compressor {
  readonly #stream: DeflateRaw;
  readonly #flush: number;

  constructor({ windowBits = 15, takeover = true } = {}) {
    this.#stream = createDeflateRaw({ windowBits });
    this.#flush = takeover ? constants.Z_SYNC_FLUSH : constants.Z_FULL_FLUSH;
  }

  compress(message: string | Uint8Array): Promise<Buffer> {
    const parts: Buffer[] = [];
    const take = (part: Buffer) => parts.push(part);
    this.#stream.on('data', take);
    this.#stream.write(message);
    return new Promise((resolve) => {
      this.#stream.flush(this.#flush, () => {
        this.#stream.off('data', take);
        resolve(Buffer.concat(parts).subarray(0, -4));
      });
    });
  }
}

/** The request's fields, and the response's beginning. */
export const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
export const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n';
export const DEFLATE = 'permessage-deflate';

export interface Opened {
  client: RawPeer;
  upstream: RawPeer;
  flow: WebSocketFlow;
}

/** A WebSocket between raw ends, past its handshake. */
export async function openWebSocket(
  stage: Stage,
  {
    extensions,
    early = '',
    greeting = '',
  }: { extensions?: string; early?: Buffer | ''; greeting?: Buffer | '' } = {},
): Promise<Opened> {
  const field = extensions === undefined ? '' : `\r\nSec-WebSocket-Extensions: ${extensions}`;
  const head = `GET http://{origin}/chat HTTP/1.1\r\nHost: {origin}\r\n${UPGRADE}${field}`;
  const { client, upstream } = await stage.exchange(head, early);
  await upstream.send(`${SWITCHED}${field.slice(2)}${field === '' ? '' : '\r\n'}\r\n`, greeting);
  await client.head();
  const find = () => stage.proxy.flows.last?.websocket !== undefined;
  await stage.eventually(find, 'the handshake to be recorded');
  return { client, upstream, flow: stage.proxy.flows.last as WebSocketFlow };
}

/** The end whose frames `from` sends, and the one that receives them. */
export function endsOf({ client, upstream }: Opened, from: 'client' | 'server') {
  return from === 'client' ? { sender: client, receiver: upstream } : { sender: upstream, receiver: client };
}

/** Waits until the connection is over and its record final. */
export async function whenOver(stage: Stage, flow: HttpFlow): Promise<void> {
  await stage.eventually(() => flow.websocket?.closed === true, 'the WebSocket to be over');
}

/** Messages as `client text hello`, with marks. */
export function shown(messages: readonly WebSocketMessage[]): string[] {
  return messages.map((message) => {
    const marks = (['injected', 'dropped', 'truncated'] as const).filter((mark) => message[mark]);
    return [message.from, message.type, message.text(), ...marks].join(' ');
  });
}

/** `ws` on both ends, and what each has received. */
export interface Sockets {
  stage: Stage;
  client: WebSocket;
  server: WebSocket;
  flow: WebSocketFlow;
  received: { client: (string | Buffer)[]; server: (string | Buffer)[] };
}

export interface SocketsOptions {
  proxy?: ProxyOptions;
  server?: ServerOptions;
  client?: ClientOptions;
  /** Called before the handshake. */
  before?: (stage: Stage) => void;
}

/** Runs `play` with `ws` on both ends of a WebSocket through the proxy. */
export async function withSockets(
  options: SocketsOptions,
  play: (sockets: Sockets) => Promise<void>,
): Promise<void> {
  const servers = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options.server });
  await once(servers, 'listening');
  try {
    await withProxy(options.proxy ?? {}, async (stage) => {
      options.before?.(stage);
      const { port } = servers.address() as AddressInfo;
      const tunnel = await stage.client();
      await tunnel.send(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\n`);
      await tunnel.head();
      const received: Sockets['received'] = { client: [], server: [] };
      const collect = (socket: WebSocket, into: (string | Buffer)[]) =>
        socket.on('message', (data: Buffer, isBinary) => into.push(isBinary ? data : data.toString()));
      const connected = once(servers, 'connection').then(([socket]) => {
        collect(socket, received.server);
        return socket as WebSocket;
      });
      const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, {
        ...options.client,
        createConnection: () => tunnel.socket.removeAllListeners('data'),
      });
      collect(client, received.client);
      const [server] = await Promise.all([connected, once(client, 'open')]);
      const flow = await stage.proxy.waitForWebSocket('**/chat');
      try {
        await play({ stage, client, server, flow, received });
      } finally {
        client.terminate();
        server.terminate();
      }
    });
  } finally {
    servers.close();
  }
}

/** That end's socket has received exactly so much. */
export async function expectReceived(
  { stage, received }: Sockets,
  end: 'client' | 'server',
  expected: (string | Buffer)[],
): Promise<void> {
  await stage.eventually(
    () => received[end].length >= expected.length,
    `${expected.length} messages at the ${end}`,
  );
  expect(received[end]).toEqual(expected);
}

/** An exchange on connections of its own: what the proxy had received before, it has seen by its end. */
export async function serveAnother(stage: Stage): Promise<void> {
  const { client, upstream } = await stage.exchange('GET http://{origin}/other HTTP/1.1\r\nHost: {origin}');
  await upstream.send('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  await client.head();
}

/** Sends again and again; `sent` counts what the kernel has taken. */
export function sendMany(peer: RawPeer, bytes: Buffer, times: number): { sent: number; done: Promise<void> } {
  const state = { sent: 0, done: Promise.resolve() };
  state.done = (async () => {
    for (; state.sent < times; state.sent++) await peer.send(bytes);
  })();
  return state;
}

/** Waits until nothing moves any more: turns of the event loop pass, and none of the counts changes. */
export async function standsStill(stage: Stage, ...counts: (() => number)[]): Promise<void> {
  let last = '';
  let turns = 0;
  await stage.eventually(() => {
    const now = counts.map((count) => count()).join();
    turns = now === last ? turns + 1 : 0;
    last = now;
    return turns >= 20;
  }, 'everything to stand still');
}
