/**
 * The server that the browser tests and the examples talk to. It answers from its URL alone, so that a test says in
 * its own text what it gets: `/download?bytes=10000`, `/chunked?sizes=5,4096,1`.
 *
 * | path | what it does |
 * | --- | --- |
 * | `GET /` | a page: upload form, download link, and a script with `send(url, init)` |
 * | `GET /download?bytes=N` | N bytes of {@link bytesOf}; `seed=`, `gzip=1`, `name=`; answers Range with a 206 |
 * | `GET /chunked?sizes=A,B` | one chunk of each size; `trailer=VALUE` sends it as `X-Trailer` |
 * | `GET /text?words=TEXT` | TEXT; `gzip=1`; `cut=N` writes it in chunks of N bytes |
 * | `POST, PUT /upload` | reads the body; answers `{ bytes, sha256, headers }` as JSON |
 * | `ANY /api/...` | answers `{ method, path, headers, json }` as JSON, with CORS; `status=N` |
 * | `GET /held/ID` | head and `first` at once, `last` when somebody POSTs `/release/ID` |
 * | `GET /events`, `/order/events`, `/camera/ID` | what has no end; see event-streams.ts |
 * | `GET /order` | a page that follows an order |
 * | `GET /worker` | a page whose service worker answers `/from-worker` by fetching `/api/worker` |
 * | `GET /cut?bytes=N&of=M` | promises M bytes, closes after N |
 * | `GET /market` | a page of live prices, which come by WebSocket; {@link serveSockets} has the sockets |
 * @module
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { bytesOf, streamOf } from './bytes.js';
import { camera, events, order } from './event-streams.js';
import { MARKET_PAGE, ORDER_PAGE, PAGE, WORKER_PAGE, WORKER_SCRIPT } from './pages.js';
import { serveSockets } from './sockets.js';

export { bytesOf, streamOf } from './bytes.js';

/** A running test origin. */
export interface Origin extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Every request, in order: what reached the origin, whatever a proxy did in between. */
  readonly requests: readonly { method: string; url: string }[];
  /** Lets `/held/ID` go on, now or when it is asked for. */
  release(id: string): void;
  close(): Promise<void>;
}

interface Visit {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  /** The number that a parameter gives. */
  number(name: string, fallback: number): number;
  gates: Gates;
}

/** Starts the origin on a free port of loopback. */
export async function startOrigin(port = 0): Promise<Origin> {
  const requests: { method: string; url: string }[] = [];
  const gates = new Gates();
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/' } = request;
    requests.push({ method, url });
    const parsed = new URL(url, 'http://origin');
    const number = (name: string, fallback: number) => Number(parsed.searchParams.get(name) ?? fallback);
    answer({ request, response, url: parsed, number, gates }).catch((error: unknown) => {
      // A client that went away is an everyday event here; anything else is a bug that the test should see.
      if (response.destroyed || request.destroyed) return;
      response.writeHead(500, { 'Content-Type': 'text/plain' }).end(String(error));
    });
  });
  const cutSockets = serveSockets(server, (id) => gates.opened(id));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address() as AddressInfo;
  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    cutSockets();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    release: (id) => gates.open(id),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Where `/held/ID` and held sockets wait for `/release/ID`, whichever comes first. */
class Gates {
  readonly #gates = new Map<string, { opened: Promise<void>; open: () => void }>();

  open(id: string): void {
    this.#gate(id).open();
  }

  opened(id: string): Promise<void> {
    return this.#gate(id).opened;
  }

  #gate(id: string) {
    const known = this.#gates.get(id);
    if (known !== undefined) return known;
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const gate = { opened, open };
    this.#gates.set(id, gate);
    return gate;
  }
}

async function answer(visit: Visit): Promise<void> {
  const { response, url } = visit;
  const [, first = '', id = ''] = url.pathname.split('/');
  const opened = (gate: string) => visit.gates.opened(gate);
  switch (first) {
    case '':
      return page(response, PAGE);
    case 'download':
      return download(visit);
    case 'chunked':
      return chunked(visit);
    case 'text':
      return text(visit);
    case 'upload':
      return upload(visit);
    case 'api':
      return api(visit);
    case 'held':
      return held(visit, id);
    case 'release':
      visit.gates.open(id);
      response.writeHead(204).end();
      return;
    case 'events':
      return events({ ...visit, opened });
    case 'order':
      return id === 'events' ? order({ ...visit, opened }) : page(response, ORDER_PAGE);
    case 'camera':
      return camera({ ...visit, opened }, id);
    case 'worker':
      return page(response, WORKER_PAGE);
    case 'worker.js':
      response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(WORKER_SCRIPT);
      return;
    case 'cut':
      return cut(visit);
    case 'market':
      return page(response, MARKET_PAGE);
    default:
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end(`nothing at ${url.pathname}\n`);
  }
}

function page(response: ServerResponse, html: string): void {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html);
}

async function download({ request, response, url, number }: Visit): Promise<void> {
  const size = number('bytes', 10_000);
  const seed = number('seed', 0);
  const headers: Record<string, string | number> = {
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename="${url.searchParams.get('name') ?? 'download.bin'}"`,
  };
  if (url.searchParams.has('gzip')) {
    response.writeHead(200, { ...headers, 'Content-Encoding': 'gzip' });
    return pipeline(streamOf(size, { seed }), createGzip({ level: 1 }), response);
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(range?.[2] ? Number(range[2]) + 1 : size, size);
  if (range !== null && start >= end) {
    response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    ...headers,
    'Accept-Ranges': 'bytes',
    'Content-Length': end - start,
    ...(range !== null && { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }),
  });
  return pipeline(streamOf(end - start, { seed, from: start }), response);
}

async function chunked({ response, url }: Visit): Promise<void> {
  const sizes = (url.searchParams.get('sizes') ?? '5,4096,1').split(',').map(Number);
  const trailer = url.searchParams.get('trailer');
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Transfer-Encoding': 'chunked',
    ...(trailer !== null && { Trailer: 'X-Trailer' }),
  });
  let offset = 0;
  for (const size of sizes) {
    // Node writes one chunk per write.
    await written(response, bytesOf(size, { from: offset }));
    offset += size;
  }
  if (trailer !== null) response.addTrailers({ 'X-Trailer': trailer });
  response.end();
}

async function text({ response, url, number }: Visit): Promise<void> {
  const gzip = url.searchParams.has('gzip');
  const words = Buffer.from(url.searchParams.get('words') ?? 'some words');
  const body = gzip ? gzipSync(words) : words;
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(gzip && { 'Content-Encoding': 'gzip' }),
  };
  const step = number('cut', 0);
  if (step === 0) {
    response.writeHead(200, { ...headers, 'Content-Length': body.length }).end(body);
    return;
  }
  response.writeHead(200, headers);
  for (let at = 0; at < body.length; at += step) await written(response, body.subarray(at, at + step));
  response.end();
}

async function upload({ request, response }: Visit): Promise<void> {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    digest.update(piece);
  }
  json(response, 200, { bytes, sha256: digest.digest('hex'), headers: request.headers });
}

async function api({ request, response, url, number }: Visit): Promise<void> {
  const { origin, 'access-control-request-headers': asked } = request.headers;
  if (origin !== undefined) {
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Access-Control-Allow-Credentials', 'true');
    response.setHeader('Vary', 'Origin');
  }
  if (request.method === 'OPTIONS') {
    response.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE');
    if (asked !== undefined) response.setHeader('Access-Control-Allow-Headers', asked);
    response.writeHead(204).end();
    return;
  }
  const body = Buffer.concat(await Readable.from(request as AsyncIterable<Buffer>).toArray());
  const status = number('status', 200);
  if (status === 204) {
    response.writeHead(204).end();
    return;
  }
  json(response, status, {
    method: request.method,
    path: url.pathname,
    headers: request.headers,
    json: body.length === 0 ? null : parsed(body),
  });
}

async function held({ response, gates }: Visit, id: string): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 'firstlast'.length });
  await written(response, Buffer.from('first'));
  await gates.opened(id);
  response.end('last');
}

async function cut({ response, number }: Visit): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': number('of', 10_000),
  });
  await written(response, bytesOf(number('bytes', 5000)));
  response.socket?.end();
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return body.toString();
  }
}

function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
