/** The clients of the benchmarks: raw sockets, so that they cost as little as possible. */
import net from 'node:net';

const sink = Buffer.allocUnsafeSlow(1024 * 1024);

/** Downloads, and gives the seconds it took. */
export function download(port: number, url: string, octets: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let seen = 0;
    const started = process.hrtime.bigint();
    const socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer: sink,
        callback: (n) => {
          seen += n;
          if (seen >= octets) {
            resolve(Number(process.hrtime.bigint() - started) / 1e9);
            socket.destroy();
          }
          return true;
        },
      },
    });
    socket.on('error', reject).on('close', () => reject(new Error(`closed after ${seen} of ${octets}`)));
    socket.write(`GET ${url} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  });
}

/** Uploads, and gives the seconds until the answer. */
export function upload(port: number, url: string, octets: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const block = Buffer.alloc(1024 * 1024, 'sluice ');
    const started = process.hrtime.bigint();
    const socket = net.connect({ port, host: '127.0.0.1' });
    let left = octets;
    const more = () => {
      while (left > 0) {
        const part = left >= block.length ? block : block.subarray(0, left);
        left -= part.length;
        if (!socket.write(part)) return;
      }
    };
    socket.on('drain', more).on('error', reject);
    socket.once('data', () => {
      resolve(Number(process.hrtime.bigint() - started) / 1e9);
      socket.destroy();
    });
    socket.on('close', () => reject(new Error(`closed with ${left} octets to send`)));
    socket.write(`POST ${url} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${octets}\r\n\r\n`);
    more();
  });
}

/** Sends 1 KiB requests over `connections` for `seconds`, and gives the rate per second. */
export function requests(port: number, url: string, connections: number, seconds: number): Promise<number> {
  const text = `GET ${url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n`;
  return new Promise((resolve, reject) => {
    let done = 0;
    const sockets: net.Socket[] = [];
    const started = process.hrtime.bigint();
    for (let i = 0; i < connections; i++) {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      let need = -1;
      let seen = 0;
      socket.on('data', (bytes: Buffer) => {
        if (need === -1) {
          const end = bytes.indexOf('\r\n\r\n');
          need = end === -1 ? -1 : end + 4 + 1024;
          if (need === -1) reject(new Error(`unexpected: ${bytes.toString('latin1', 0, 200)}`));
        }
        seen += bytes.length;
        if (seen < need) return;
        seen = 0;
        need = -1;
        done++;
        socket.write(text);
      });
      socket.on('error', reject);
      socket.on('connect', () => socket.write(text));
      sockets.push(socket);
    }
    setTimeout(() => {
      const took = Number(process.hrtime.bigint() - started) / 1e9;
      for (const socket of sockets) socket.destroy();
      resolve(done / took);
    }, seconds * 1000);
  });
}
