/**
 * An origin with TLS, for tests of HTTP/2: it answers from its URL alone, over HTTP/2 to whoever takes that.
 *
 * | path | what it does |
 * | --- | --- |
 * | `GET /` | a page |
 * | `GET /together/N/ANY` | the path as text, when N such requests are there and none of them before |
 * | `GET /held/ANY` | `first`, and `last` after {@link SecureOrigin.release} |
 * | `GET /reset` | the head and 100 000 bytes of 200 000; after {@link SecureOrigin.release} the stream is reset |
 * | `GET /download?bytes=N` | N bytes of {@link bytesOf} |
 * | `POST /upload` | reads the body; answers `{ bytes, sha256 }` as JSON |
 * | `GET /events` | server-sent events 1 and 2, and 3 after {@link SecureOrigin.release} |
 * | `GET /worker` | a page whose service worker answers `/from-worker` by fetching `/api/worker` |
 * | `wss /echo` | sends back what it gets |
 * @module
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { constants, createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { WebSocketServer } from 'ws';
import { loadCa } from '../src/tls/ca.js';
import { caPem } from '../src/tls/testing/pems.js';
import { bytesOf, streamOf } from './bytes.js';
import { WORKER_PAGE, WORKER_SCRIPT } from './pages.js';

export interface SecureOrigin {
  /** `https://127.0.0.1:PORT`, for the option `hosts`. */
  readonly url: string;
  /** The CA of its certificate, PEM. */
  readonly ca: string;
  /** How many connections there have been that spoke HTTP/2. */
  readonly http2Connections: number;
  /** Lets everything go on that waits for it. */
  release(): void;
  close(): Promise<void>;
}

/** @param speaks `h1` is HTTP/1.1 alone; `both` lets the client choose */
export async function startSecureOrigin(name: string, speaks: 'h1' | 'both'): Promise<SecureOrigin> {
  const ca = loadCa(caPem());
  const sockets = new Set<Socket>();
  const groups = new Map<string, (() => void)[]>();
  let http2Connections = 0;
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });

  // The compatible API serves both versions; HTTP/1.1's messages have what is used of them here.
  const serve = (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url, 'https://origin');
    const [, first = '', size = ''] = pathname.split('/');
    const send = (type: string, text: string) => response.writeHead(200, { 'Content-Type': type }).end(text);
    const answers: { [first: string]: () => unknown } = {
      '': () =>
        send(
          'text/html',
          '<!doctype html><link rel="icon" href="data:,"><input type="file"><output></output>',
        ),
      together: () => {
        const waiting = groups.get(first + size) ?? [];
        groups.set(first + size, waiting);
        waiting.push(() => send('text/plain', pathname));
        if (waiting.length === Number(size)) for (const answer of waiting) answer();
      },
      held: async () => {
        response.writeHead(200, { 'Content-Type': 'text/plain' }).write('first');
        await released;
        response.end('last');
      },
      reset: async () => {
        response.writeHead(200, { 'Content-Length': 200_000 }).write(bytesOf(100_000));
        await released;
        response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      },
      download: () => {
        const bytes = Number(searchParams.get('bytes'));
        response.setHeader('Content-Length', bytes);
        return pipeline(streamOf(bytes), response);
      },
      upload: async () => {
        const digest = createHash('sha256');
        let bytes = 0;
        for await (const piece of request as AsyncIterable<Buffer>) {
          bytes += piece.length;
          digest.update(piece);
        }
        send('application/json', JSON.stringify({ bytes, sha256: digest.digest('hex') }));
      },
      events: async () => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('id: 1\ndata: one\n\n');
        response.write('event: other\ndata: two\n\n');
        await released;
        response.write('data: three\n\n');
      },
      worker: () => send('text/html', WORKER_PAGE),
      'worker.js': () => send('text/javascript', WORKER_SCRIPT),
      api: () => send('text/plain', `worker over ${request.httpVersion}`),
    };
    const answer = answers[first] ?? (() => response.writeHead(404).end());
    Promise.resolve(answer()).catch(() => response.stream?.close());
  };

  const credentials = ca.credentialsFor(name);
  const server =
    speaks === 'h1'
      ? createServer(credentials, serve as never)
      : createSecureServer({ ...credentials, allowHTTP1: true }, serve);
  server.on('session', () => http2Connections++);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: ca.cert,
    get http2Connections() {
      return http2Connections;
    },
    release: () => release(),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
