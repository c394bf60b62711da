/**
 * An origin of our own: as little HTTP as the load needs, so that it is never what is measured. `/down/N` sends N
 * octets, `/chunked/N` does in chunks of 16 KiB, `/64k` 64 KiB, anything else 1 KiB; bodies of requests are counted and
 * dropped. A folder with `cert.pem` and `key.pem` as an argument makes it one over TLS.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

const [folder] = process.argv.slice(2);

const BLOCK = Buffer.alloc(1024 * 1024, 'sluice ');
const CHUNK = Buffer.concat([Buffer.from('4000\r\n'), BLOCK.subarray(0, 16_384), Buffer.from('\r\n')]);
/** As many octets as a block, about. */
const CHUNKS = Buffer.concat(Array<Buffer>(64).fill(CHUNK));
const whole = (octets: number) =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${octets}\r\n\r\n${'x'.repeat(octets)}`,
  );
const SMALL = whole(1024);
const MIDDLE = whole(65_536);

function serve(socket: net.Socket): void {
  let head = '';
  let left = 0;
  const answer = (request: string) => {
    const [, kind, octets] = /^GET [^ ]*\/(down|chunked)\/(\d+)/.exec(request) ?? [];
    if (kind === 'down') send(socket, Number(octets));
    else if (kind === 'chunked') sendChunked(socket, Number(octets));
    else socket.write(/^GET [^ ]*\/64k/.test(request) ? MIDDLE : SMALL);
  };
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    if (left > 0) {
      left -= bytes.length;
      if (left <= 0) answer('POST');
      return;
    }
    head += bytes.toString('latin1');
    for (let end = head.indexOf('\r\n\r\n'); end !== -1; end = head.indexOf('\r\n\r\n')) {
      const request = head.slice(0, end);
      head = head.slice(end + 4);
      const length = Number(/^content-length: *(\d+)/im.exec(request)?.[1] ?? 0);
      if (length > head.length) {
        left = length - head.length;
        head = '';
        return;
      }
      head = head.slice(length);
      answer(request);
    }
  });
}

function send(socket: net.Socket, octets: number): void {
  socket.write(
    `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${octets}\r\n\r\n`,
  );
  writeAll(socket, octets, (left) => (left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left)));
}

function sendChunked(socket: net.Socket, octets: number): void {
  const chunks = Math.floor(octets / 16_384);
  socket.write(
    'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const partOf = (left: number) => (left >= CHUNKS.length ? CHUNKS : CHUNKS.subarray(0, left));
  writeAll(socket, chunks * CHUNK.length, partOf, () => socket.write('0\r\n\r\n'));
}

function writeAll(
  socket: net.Socket,
  octets: number,
  partOf: (left: number) => Buffer,
  done?: () => void,
): void {
  let left = octets;
  const more = () => {
    while (left > 0 && !socket.destroyed) {
      const part = partOf(left);
      left -= part.length;
      if (!socket.write(part)) return;
    }
    socket.off('drain', more);
    if (left === 0) done?.();
  };
  socket.on('drain', more);
  more();
}

const server =
  folder === undefined
    ? net.createServer({ noDelay: true }, serve)
    : tls.createServer(
        {
          cert: readFileSync(`${folder}/cert.pem`),
          key: readFileSync(`${folder}/key.pem`),
          ALPNProtocols: ['http/1.1'],
        },
        (socket) => serve(socket.setNoDelay(true)),
      );
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit());
