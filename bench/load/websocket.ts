/** The WebSocket client of the benchmarks: a raw socket with frames made in advance, so that it costs as little as possible. */
import net from 'node:net';
import { MIB } from '../harness.js';
import { BINARY, CLOSE, CONTINUATION, FIN, FrameReader, frame, frameHead, TEXT } from './frames.js';

const BLOCK = Buffer.alloc(MIB, 'sluice ');
const CLOSING = frame(FIN | CLOSE, 0, true);

export interface Load {
  type: 'text' | 'binary';
  /** Octets of a message. */
  size: number;
  /** Octets of its frames. Default `size`, which makes it one frame. */
  fragment?: number;
  messages: number;
  inFlight: number;
  /** Every message is written by itself, by the origin too; else those that may go out at once go in one write. */
  each?: boolean;
}

/** A connection to be told of what arrives, in a buffer that is used again. */
function connect(port: number, take: (bytes: Buffer, octets: number) => void): net.Socket {
  const buffer = Buffer.allocUnsafeSlow(MIB);
  const callback = (octets: number) => {
    take(buffer, octets);
    return true;
  };
  return net.connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
}

/** Resolves as soon as a socket takes more. */
const drained = (socket: net.Socket) => new Promise<void>((resolve) => socket.once('drain', resolve));

/** Writes one message of any size with little memory. */
async function sendLong(socket: net.Socket, { type, size, fragment = size }: Load): Promise<void> {
  const opcode = type === 'text' ? TEXT : BINARY;
  for (let sent = 0; sent < size; ) {
    const length = Math.min(fragment, size - sent);
    const last = sent + length === size ? FIN : 0;
    socket.write(frameHead(last | (sent === 0 ? opcode : CONTINUATION), length, true));
    for (let left = length; left > 0; left -= MIB) {
      if (!socket.write(left >= MIB ? BLOCK : BLOCK.subarray(0, left))) await drained(socket);
    }
    sent += length;
  }
}

/** What sends messages that fit in memory: many small ones in one write. */
function sender(socket: net.Socket, { type, size, inFlight, each }: Load): (count: number) => void {
  const one = frame(FIN | (type === 'text' ? TEXT : BINARY), size, true);
  const count = each ? 1 : Math.min(inFlight, Math.max(1, Math.floor(65_536 / one.length)));
  const several = Buffer.concat(Array<Buffer>(count).fill(one));
  return (messages) => {
    for (let left = messages; left > 0; left -= count) {
      socket.write(left >= count ? several : several.subarray(0, one.length * left));
    }
  };
}

/**
 * Sends messages to the echoing origin, through the proxy's CONNECT if there is one, and closes as WebSockets do.
 * Gives the seconds from the first message to the last echo.
 */
export function echoed(proxy: number | undefined, origin: number, load: Load): Promise<number> {
  const authority = `127.0.0.1:${origin}`;
  const heads = [
    `GET /${load.each ? 'each' : 'together'} HTTP/1.1\r\nHost: ${authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2x1aWNlIHNsdWljZSBzbA==\r\n\r\n`,
  ];
  if (proxy !== undefined) heads.unshift(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let head = '';
    let open = false;
    let started = 0n;
    let took = 0;
    let sent = 0;
    let seen = 0;
    let octets = 0;
    let send: (count: number) => void;
    const more = (count: number) => {
      const allowed = Math.min(count, load.messages - sent);
      sent += allowed;
      if (allowed > 0) send(allowed);
    };
    const reader = new FrameReader(false, {
      end: (first, length) => {
        if (first === (FIN | CLOSE)) {
          socket.end();
          return;
        }
        octets += length;
        if (first < FIN) return;
        if (octets !== load.size) socket.destroy(new Error(`an echo of ${octets} octets for ${load.size}`));
        octets = 0;
        seen++;
      },
    });
    const start = () => {
      open = true;
      started = process.hrtime.bigint();
      const long = load.size > MIB;
      send = long ? () => sendLong(socket, load).catch(reject) : sender(socket, load);
      more(load.inFlight);
    };
    const socket = connect(proxy ?? origin, (bytes, count) => {
      if (open) {
        const before = seen;
        reader.push(bytes, 0, count);
        if (seen === before) return;
        if (seen < load.messages) return more(seen - before);
        took = Number(process.hrtime.bigint() - started) / 1e9;
        socket.write(CLOSING);
        return;
      }
      head += bytes.toString('latin1', 0, count);
      if (!head.endsWith('\r\n\r\n')) return;
      if (!/^HTTP\/1\.1 (101|200) /.test(head)) {
        socket.destroy(new Error(`unexpected: ${head}`));
        return;
      }
      head = '';
      const next = heads.shift();
      if (next === undefined) start();
      else socket.write(next);
    });
    socket.setTimeout(60_000, () => socket.destroy(new Error(`silence after ${seen} of ${load.messages}`)));
    socket.on('error', reject);
    socket.on('close', () => {
      if (took > 0 && seen === load.messages) resolve(took);
      else reject(new Error(`closed after ${seen} of ${load.messages}`));
    });
    socket.write(heads.shift() ?? '');
  });
}
