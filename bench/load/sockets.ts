/** Load by sockets of our own, which cost as little as possible: where no program can do it, or none is here. */
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Subject } from '../subjects.js';
import type { Destination } from './programs.js';

const sink = Buffer.allocUnsafeSlow(1024 * 1024);
const BLOCK = Buffer.alloc(1024 * 1024, 'sluice ');

/** The request target, as the subject takes it. */
const form = (subject: Subject, { port, secure, path }: Destination) =>
  subject.kind === 'proxy' && !secure ? `http://127.0.0.1:${port}${path}` : path;

/** A connection to where requests can be sent: through a tunnel and over TLS where need be. */
export async function connect(subject: Subject, { port, secure }: Destination): Promise<Duplex> {
  const socket = net.connect({ port: subject.port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  if (!secure) return socket;
  if (subject.kind === 'proxy') {
    socket.write(`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
    // Some write it in parts.
    let head = '';
    while (!head.includes('\r\n\r\n')) head += String(((await once(socket, 'data')) as [Buffer])[0]);
  }
  const secured = tls.connect({
    socket,
    servername: 'localhost',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  await once(secured, 'secureConnect');
  return secured;
}

/** Downloads, and gives the seconds it took. In clear text only. */
export function download(subject: Subject, destination: Destination, octets: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let seen = 0;
    const started = process.hrtime.bigint();
    const socket = net.connect({
      port: subject.port,
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
    socket.write(`GET ${form(subject, destination)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  });
}

/** Uploads, and gives the seconds until the answer. In clear text only. */
export function upload(subject: Subject, destination: Destination, octets: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const socket = net.connect({ port: subject.port, host: '127.0.0.1' });
    let left = octets;
    const more = () => {
      while (left > 0) {
        const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
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
    socket.write(
      `POST ${form(subject, destination)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${octets}\r\n\r\n`,
    );
    more();
  });
}

/** One request after another on a connection; told of every answer. @returns what ends it */
function repeat(
  socket: Duplex,
  text: string,
  answered: () => void,
  failed: (error: Error) => void,
): () => void {
  let need = -1;
  let seen = 0;
  let over = false;
  socket.on('data', (bytes: Buffer) => {
    if (need === -1) {
      const end = bytes.indexOf('\r\n\r\n');
      const head = bytes.toString('latin1', 0, end === -1 ? 400 : end);
      const length = /^content-length: *(\d+)/im.exec(head)?.[1];
      if (end === -1 || length === undefined || !head.startsWith('HTTP/1.1 200')) {
        failed(new Error(`unexpected: ${head}`));
        return;
      }
      need = end + 4 + Number(length);
    }
    seen += bytes.length;
    if (seen < need) return;
    seen = 0;
    need = -1;
    answered();
    if (!over) socket.write(text);
  });
  socket.on('error', (error) => over || failed(error));
  socket.on('close', () => over || failed(new Error('the connection was closed')));
  socket.write(text);
  return () => {
    over = true;
    socket.destroy();
  };
}

const requestOf = (subject: Subject, destination: Destination) =>
  `GET ${form(subject, destination)} HTTP/1.1\r\nHost: localhost:${destination.port}\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n`;

/** Requests per second over kept connections. */
export async function requests(
  subject: Subject,
  destination: Destination,
  connections: number,
  seconds: number,
): Promise<number> {
  const sockets: Duplex[] = [];
  for (let i = 0; i < connections; i++) sockets.push(await connect(subject, destination));
  const text = requestOf(subject, destination);
  let done = 0;
  const started = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const ends = sockets.map((socket) => repeat(socket, text, () => done++, reject));
    setTimeout(() => {
      const took = Number(process.hrtime.bigint() - started) / 1e9;
      for (const end of ends) end();
      resolve(done / took);
    }, seconds * 1000);
  });
}

/** Milliseconds of each of `count` requests on one kept connection, with a pause before each. */
export async function latencies(
  subject: Subject,
  destination: Destination,
  count: number,
  pause: number,
): Promise<number[]> {
  const socket = await connect(subject, destination);
  const text = requestOf(subject, destination);
  const times: number[] = [];
  try {
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      const started = performance.now();
      socket.write(text);
      let seen = 0;
      do seen += ((await once(socket, 'data')) as [Buffer])[0].length;
      while (seen < 1024);
      times.push(performance.now() - started);
    }
  } finally {
    socket.destroy();
  }
  return times;
}
