/**
 * What the test origin sends without an end: events, and images that replace each other. As with the rest of it, the
 * URL says what comes.
 *
 * | path | what it does |
 * | --- | --- |
 * | `GET /events?count=N` | N server-sent events; `gzip=1`; `hold=ID`: each but the first waits until somebody POSTs `/release/ID-2` and so on, and the stream stays open |
 * | `GET /order/events` | three events `status` of an order, or those after `Last-Event-ID`; the stream stays open |
 * | `GET /camera/ID` | multipart/x-mixed-replace: images 1 and 2 pixels wide, the second when somebody POSTs `/release/ID` |
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';

export interface StreamVisit {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  /** Resolves when somebody POSTs `/release/ID`. */
  opened(id: string): Promise<void>;
}

const HEAD = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' };

export async function events({ response, url, opened }: StreamVisit): Promise<void> {
  const { searchParams: parameters } = url;
  const hold = parameters.get('hold');
  const gzip = parameters.has('gzip') ? createGzip() : undefined;
  response.writeHead(200, { ...HEAD, ...(gzip && { 'Content-Encoding': 'gzip' }) });
  gzip?.pipe(response);
  const out = gzip ?? response;
  for (let i = 1; i <= Number(parameters.get('count') ?? 3); i++) {
    if (hold !== null && i > 1) await opened(`${hold}-${i}`);
    out.write(`id: ${i}\ndata: {"tick":${i}}\n\n`);
    gzip?.flush();
  }
  if (hold === null) out.end();
}

export function order({ request, response }: StreamVisit): void {
  response.writeHead(200, HEAD);
  const last = Number(request.headers['last-event-id'] ?? 0);
  for (const [i, status] of ['received', 'packed', 'shipped'].entries()) {
    if (i + 1 > last) response.write(`id: ${i + 1}\nevent: status\ndata: ${JSON.stringify({ status })}\n\n`);
  }
}

export async function camera({ response, opened }: StreamVisit, id: string): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'multipart/x-mixed-replace; boundary=frame' });
  const begin = '--frame\r\nContent-Type: image/bmp\r\n\r\n';
  response.write(begin);
  for (const width of [1, 2]) {
    if (width > 1) await opened(id);
    response.write(image(width));
    // Chromium shows a part when it has seen the fields of the next.
    response.write(`\r\n${begin}`);
  }
}

/** A bitmap, one pixel high. */
function image(width: number): Buffer {
  const row = Math.ceil((width * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + row, 0x80);
  bytes.fill(0, 0, 54).write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(1, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  bytes.writeUInt32LE(row, 34);
  return bytes;
}
