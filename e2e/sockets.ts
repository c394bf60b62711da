/**
 * The WebSockets of the test origin. As with the rest of it, the URL says what a socket does.
 *
 * | path | what it does |
 * | --- | --- |
 * | `/echo` | sends back what it gets; `ping=TEXT` pings first |
 * | `/prices` | live prices, for the page at `/market` |
 * | `/sink` | answers a message by its `{ bytes, sha256 }`; with `hold=ID` it says `begun` when a message's first octets are there, and reads no more until somebody POSTs `/release/ID` |
 * | `/bye` | closes after the first message; `code=N`, `reason=TEXT`; `cut=1` cuts the connection instead |
 * | `/wrong` | answers the first message with a frame that no WebSocket has |
 *
 * Any of them compresses if the client offers to and the URL has `deflate=1`.
 * @module
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';

/** How an endpoint behaves once it is connected. */
type Endpoint = (socket: WebSocket, visit: SocketVisit) => void;

interface SocketVisit {
  request: IncomingMessage;
  parameters: URLSearchParams;
  /** Resolves when somebody POSTs `/release/ID`. */
  released(id: string): Promise<void>;
}

const ENDPOINTS: Record<string, Endpoint> = { echo, prices, sink, bye, wrong };

/** Makes the server answer WebSocket handshakes. @returns what cuts every connection */
export function serveSockets(server: Server, released: SocketVisit['released']): () => void {
  const plain = new WebSocketServer({ noServer: true });
  // The threshold is for what is not worth it: here every message is to be compressed.
  const deflating = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 0 } });
  server.on('upgrade', (request, stream, head) => {
    const { pathname, searchParams: parameters } = new URL(request.url ?? '/', 'http://origin');
    const endpoint = ENDPOINTS[pathname.slice(1)];
    if (endpoint === undefined) {
      stream.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const sockets = parameters.has('deflate') ? deflating : plain;
    sockets.handleUpgrade(request, stream, head, (socket) => {
      // A client that went away is an everyday event here.
      socket.on('error', () => socket.terminate());
      endpoint(socket, { request, parameters, released });
    });
  });
  return () => {
    for (const socket of [...plain.clients, ...deflating.clients]) socket.terminate();
  };
}

function echo(socket: WebSocket, { parameters }: SocketVisit): void {
  const ping = parameters.get('ping');
  if (ping !== null) socket.ping(ping);
  socket.on('message', (data, binary) => socket.send(data, { binary }));
}

function prices(socket: WebSocket): void {
  const say = (message: object) => socket.send(JSON.stringify(message));
  socket.on('message', (data) => {
    const { type, symbol, count } = JSON.parse(String(data)) as Record<string, unknown>;
    if (type === 'subscribe') {
      say({ type: 'subscribed', symbol });
      say({ type: 'price', symbol, price: 12.5 });
    } else if (type === 'order') {
      say({ type: 'ordered', symbol, count });
    } else {
      say({ type: 'error', reason: `unknown type ${type}` });
    }
  });
}

function sink(socket: WebSocket, { request, parameters, released }: SocketVisit): void {
  const id = parameters.get('hold');
  if (id !== null) {
    request.socket.once('data', () => {
      socket.pause();
      socket.send('begun');
      released(id).then(() => socket.resume());
    });
  }
  socket.on('message', (data: Buffer) => {
    const sha256 = createHash('sha256').update(data).digest('hex');
    socket.send(JSON.stringify({ bytes: data.length, sha256 }));
  });
}

function bye(socket: WebSocket, { parameters }: SocketVisit): void {
  const code = parameters.get('code');
  socket.once('message', () => {
    if (parameters.has('cut')) socket.terminate();
    else if (code === null) socket.close();
    else socket.close(Number(code), parameters.get('reason') ?? '');
  });
}

function wrong(socket: WebSocket, { request }: SocketVisit): void {
  // Opcode 3 is reserved (RFC 6455 section 5.2).
  socket.once('message', () => request.socket.write(Buffer.from([0x83, 0x00])));
}
