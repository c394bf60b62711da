/**
 * The same client and the same origin over HTTP/1.1 and HTTP/2, by Node's own implementations.
 * @module
 */
import { once } from 'node:events';
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import http2, {
  type ClientHttp2Session,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { openTunnel } from '../listen/testing/tunnels.js';
import type { ProxyOptions } from '../options/types.js';
import { loadCa } from '../tls/ca.js';
import { caPem } from '../tls/testing/pems.js';
import { openHttp2 } from './http2.js';
import { type Stage, withProxy } from './with-proxy.js';

/** Who speaks what. */
export interface Way {
  client: 'h1' | 'h2';
  origin: 'h1' | 'h2';
  tls: boolean;
}

/** Without TLS a client of HTTP/1 never comes to HTTP/2; with it a client is only offered what the origin speaks. */
export const WAYS: readonly Way[] = [
  { client: 'h1', origin: 'h1', tls: false },
  { client: 'h1', origin: 'h2', tls: true },
  { client: 'h2', origin: 'h1', tls: false },
  { client: 'h2', origin: 'h2', tls: false },
  { client: 'h2', origin: 'h2', tls: true },
];

export const nameOf = ({ client, origin, tls }: Way) => `${client} to ${origin}${tls ? ' over TLS' : ''}`;

export type Handler = (
  request: IncomingMessage & Http2ServerRequest,
  response: ServerResponse & Http2ServerResponse,
) => void;

/** A field section, as it came. */
export type Lines = [name: string, value: string][];

export interface Answered {
  status: number;
  statusText: string;
  headers: Lines;
  informational: { status: number; link: unknown }[];
  body: Buffer;
  trailers: Lines;
}

export interface Question {
  method?: string;
  headers?: OutgoingHttpHeaders;
  /** Sends the body and ends it. Default: there is none. */
  send?(to: Duplex | http.ClientRequest): void;
  trailers?: Record<string, string>;
}

export interface Scene {
  stage: Stage;
  /** `host:port` of the origin, as requests name it. */
  authority: string;
  ask(path: string, question?: Question): Promise<Answered>;
}

/** Runs `play` with both ends that speak what `way` says. */
export async function onWay(
  way: Way,
  handler: Handler,
  options: ProxyOptions,
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const ca = loadCa(caPem());
  const credentials = ca.credentialsFor('app.test');
  const server =
    way.origin === 'h1'
      ? way.tls
        ? https.createServer(credentials)
        : http.createServer()
      : way.tls
        ? http2.createSecureServer(credentials)
        : http2.createServer();
  server.on('request', handler as never);
  server.on('checkContinue', handler as never);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const authority = way.tls ? 'app.test' : address;
  const sessions: ClientHttp2Session[] = [];
  try {
    await withProxy({ upstreamCa: [ca.cert], ...options }, async (stage) => {
      stage.proxy.mapHost('app.test', way.tls ? `https://${address}` : address);
      const name = way.tls ? { name: 'app.test' } : {};
      const session =
        way.client === 'h2' ? await openHttp2(stage, way.tls ? 'app.test:443' : address, name) : undefined;
      if (session !== undefined) sessions.push(session);
      const ask = (path: string, question: Question = {}) =>
        session === undefined
          ? askHttp1(stage, way.tls, authority, path, question)
          : askHttp2(session, authority, path, question);
      await play({ stage, authority, ask });
    });
  } finally {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function askHttp1(
  stage: Stage,
  secure: boolean,
  authority: string,
  path: string,
  { method = 'GET', headers = {}, send, trailers }: Question,
): Promise<Answered> {
  const { socket } = await openTunnel(stage, secure ? `${authority}:443` : authority);
  // It is read by node:http from now on.
  socket.removeAllListeners('data');
  const connection = secure
    ? tls.connect({ socket, servername: authority, ca: stage.proxy.ca.cert })
    : socket;
  const request = http.request({
    createConnection: () => connection,
    method,
    path,
    headers: { Host: authority, ...headers },
  });
  const answered = emptyAnswer();
  request.on('information', ({ statusCode, headers: { link } }) =>
    answered.informational.push({ status: statusCode, link }),
  );
  if (trailers !== undefined) request.addTrailers(trailers);
  if (send === undefined) request.end();
  else send(request);
  const [response]: [IncomingMessage] = (await once(request, 'response')) as [IncomingMessage];
  answered.status = response.statusCode ?? 0;
  answered.statusText = response.statusMessage ?? '';
  answered.headers = linesOf(response.rawHeaders);
  answered.body = Buffer.concat(await response.toArray());
  answered.trailers = linesOf(response.rawTrailers);
  return answered;
}

async function askHttp2(
  session: ClientHttp2Session,
  authority: string,
  path: string,
  { method = 'GET', headers = {}, send, trailers }: Question,
): Promise<Answered> {
  const stream = session.request(
    { ':method': method, ':path': path, ':authority': authority, ...headers },
    { endStream: send === undefined, waitForTrailers: trailers !== undefined },
  );
  const answered = emptyAnswer();
  stream.on('headers', ({ ':status': status = 0, link }) => answered.informational.push({ status, link }));
  // Not in the types: the fields as they came.
  const withRaw = stream as unknown as { on(event: string, listener: (...args: never[]) => void): void };
  withRaw.on('response', (fields: { ':status': number }, _flags: number, raw: string[]) => {
    answered.status = fields[':status'];
    answered.headers = linesOf(raw).filter(([name]) => !name.startsWith(':'));
  });
  withRaw.on('trailers', (_fields: object, _flags: number, raw: string[]) => {
    answered.trailers = linesOf(raw);
  });
  if (trailers !== undefined) stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  send?.(stream);
  answered.body = Buffer.concat(await stream.toArray());
  if (stream.rstCode !== 0) throw new Error(`the stream was reset with ${stream.rstCode}`);
  return answered;
}

function emptyAnswer(): Answered {
  return { status: 0, statusText: '', headers: [], informational: [], body: Buffer.alloc(0), trailers: [] };
}

export function linesOf(raw: string[]): Lines {
  const lines: Lines = [];
  for (let i = 0; i + 1 < raw.length; i += 2) lines.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return lines;
}

/** The values of a field, by its name in lower case. */
export function valuesOf(lines: Lines, name: string): string[] {
  return lines.filter(([written]) => written.toLowerCase() === name).map(([, value]) => value);
}
