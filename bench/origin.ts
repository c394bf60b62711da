/**
 * The origin of the benchmarks: as little HTTP as the load needs, so that it is never what is measured.
 * `/down/N` sends N octets, anything else 1 KiB; bodies of requests are counted and dropped.
 */
import net from 'node:net';

const BLOCK = Buffer.alloc(1024 * 1024, 'sluice ');
const SMALL = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n${'x'.repeat(1024)}`,
);

const server = net.createServer({ noDelay: true }, (socket) => {
  let head = '';
  let left = 0;
  const answer = (request: string) => {
    const down = /^GET [^ ]*\/down\/(\d+)/.exec(request);
    if (down === null) socket.write(SMALL);
    else send(socket, Number(down[1]));
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
});

function send(socket: net.Socket, octets: number): void {
  let left = octets;
  socket.write(
    `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${octets}\r\n\r\n`,
  );
  const more = () => {
    while (left > 0 && !socket.destroyed) {
      const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
      left -= part.length;
      if (!socket.write(part)) return;
    }
    socket.off('drain', more);
  };
  socket.on('drain', more);
  more();
}

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit());
