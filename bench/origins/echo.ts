/**
 * The WebSocket origin of the benchmarks: it reads the heads of frames and sends frames like them back, with letters of
 * its own in them; so it is never what is measured.
 */
import { createHash } from 'node:crypto';
import net from 'node:net';
import { CLOSE, FIN, FrameReader, frame, frameHead } from '../load/frames.js';

const MIB = 1024 * 1024;
const BLOCK = Buffer.alloc(MIB, 'sluice ');
/** Larger frames are answered while they come. */
const WHOLE = MIB;
/** So much may wait to be sent before reading stops. */
const WAITING = 8 * MIB;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Several frames alike, so that what came in one piece is answered in one. */
interface Alike {
  bytes: Buffer;
  count: number;
}
const made = new Map<string, Alike>();

function framesLike(first: number, length: number, most: number): Alike {
  const name = `${first}/${length}/${most}`;
  let alike = made.get(name);
  if (alike === undefined) {
    const one = frame(first, length, false);
    const count = Math.min(most, Math.max(1, Math.floor(65_536 / one.length)));
    alike = { bytes: Buffer.concat(Array<Buffer>(count).fill(one)), count };
    made.set(name, alike);
  }
  return alike;
}

/** Answers what comes in over a socket, at most so many frames in one write; gives what takes it. */
function echo(socket: net.Socket, most: number): (bytes: Buffer, from: number) => void {
  let owed = 0;
  let like: Alike = { bytes: BLOCK, count: 0 };
  let first = -1;
  let length = -1;
  const send = (bytes: Buffer) => {
    if (!socket.write(bytes) && socket.writableLength > WAITING) socket.pause();
  };
  const answer = () => {
    const each = like.bytes.length / like.count;
    for (; owed > 0; owed -= Math.min(owed, like.count)) {
      send(owed >= like.count ? like.bytes : like.bytes.subarray(0, each * owed));
    }
  };
  const reader = new FrameReader(true, {
    head: (itsFirst, itsLength) => {
      if (itsFirst === first && itsLength === length) return;
      answer();
      first = itsFirst;
      length = itsLength;
      if (length > WHOLE) send(frameHead(first, length, false));
      else like = framesLike(first, length, most);
    },
    payload: (octets) => {
      if (length <= WHOLE) return;
      for (let left = octets; left > 0; left -= MIB) send(left >= MIB ? BLOCK : BLOCK.subarray(0, left));
    },
    end: () => {
      if (length > WHOLE) first = -1;
      else owed++;
      if (first === (FIN | CLOSE)) {
        answer();
        socket.end();
      }
    },
  });
  socket.on('drain', () => socket.resume());
  return (bytes, from) => {
    reader.push(bytes, from, bytes.length);
    if (owed > 0) answer();
  };
}

const server = net.createServer({ noDelay: true }, (socket) => {
  let head = '';
  let take: ReturnType<typeof echo> | undefined;
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    if (take !== undefined) return take(bytes, 0);
    const before = head.length;
    head += bytes.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return;
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? '';
    const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    take = echo(socket, head.startsWith('GET /each ') ? 1 : 1024);
    take(bytes, end + 4 - before);
  });
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit());
