import type { Headers } from '../flow/headers.js';
import type { BodyOutlet, Written } from '../stream/body.js';
import type { ChunkList } from '../stream/collected-body.js';
import type { Framing } from './head.js';

/** A whole message over this leaves in two writes rather than be copied into one. */
const COPY_LIMIT = 64 * 1024;

/** What a writer needs of a connection. */
export interface Wire {
  write(data: Buffer | string, written?: Written): boolean;
  /** Writes a whole, small message, at the end of this turn of the event loop. */
  writeMessage(data: Buffer | string, written: Written): void;
  /**
   * Writes a part of a body, perhaps together with those that follow. Returns false when full.
   * @param more others are likely to follow in this turn of the event loop
   */
  writePart(part: Buffer | string, written?: Written, more?: boolean): boolean;
}

/**
 * The head of a request as it goes out, latin1.
 * @param extra further field lines, each ended by CRLF
 */
export function requestHead(
  method: string,
  target: string,
  version: string,
  headers: Headers,
  extra = '',
): string {
  return `${method} ${target} HTTP/${versionOnWire(version)}\r\n${headers.toWire()}${extra}\r\n`;
}

/** The head of a response as it goes out, latin1. The reason phrase may be empty; its space stays (RFC 9112 section 4). */
export function responseHead(status: number, statusText: string, version: string, headers: Headers): string {
  return `HTTP/${versionOnWire(version)} ${status} ${statusText}\r\n${headers.toWire()}\r\n`;
}

/** What came by HTTP/2 leaves as 1.1. */
function versionOnWire(version: string): string {
  return version === '2.0' ? '1.1' : version;
}

/** Writes a body onto an HTTP/1 connection. */
export class Http1Outlet implements BodyOutlet {
  onDrain: (() => void) | undefined;

  constructor(
    private readonly wire: Wire,
    readonly framing: Framing['kind'],
  ) {}

  raw(bytes: Buffer, written: Written): boolean {
    return this.wire.writePart(bytes, written);
  }

  piece(bytes: Buffer, written: Written): boolean {
    if (this.framing !== 'chunked') return this.wire.writePart(bytes, written, true);
    this.wire.writePart(`${bytes.length.toString(16)}\r\n`, undefined, true);
    this.wire.writePart(bytes, written, true);
    return this.wire.writePart('\r\n', undefined, true);
  }

  end(lastLine: string | undefined, trailers: Headers | undefined, written: Written): void {
    if (this.framing === 'chunked') {
      this.wire.write(`${lastLine ?? '0'}\r\n${trailers?.toWire() ?? ''}\r\n`, written);
    } else {
      // An empty write is told when everything before it has gone out.
      this.wire.write('', written);
    }
  }
}

/** A body that is sent in one, as far as its framing goes. */
export interface WholeContent {
  bytes: Buffer;
  /** A buffer that ends with `bytes` and has room for a head before them. */
  room: Buffer | undefined;
  chunks: ChunkList | undefined;
  lastLine: string | undefined;
  trailers: Headers | undefined;
}

/** Writes a message whose body is all there. */
export function writeWhole(
  wire: Wire,
  head: string,
  body: WholeContent,
  framing: Framing['kind'],
  written: Written,
): void {
  if (framing === 'none') {
    wire.writeMessage(head, written);
  } else if (framing === 'chunked' || body.bytes.length <= COPY_LIMIT) {
    wire.writeMessage(wholeMessage(head, body, framing), written);
  } else {
    wire.write(head);
    wire.write(body.bytes, written);
  }
}

/** A whole message in one buffer, so that it leaves in one write. */
function wholeMessage(head: string, content: WholeContent, framing: Framing['kind']): Buffer {
  const { bytes: body, room } = content;
  if (framing !== 'chunked') {
    const start = room === undefined ? -1 : room.length - body.length - head.length;
    const whole =
      room === undefined || start < 0 ? Buffer.allocUnsafe(head.length + body.length) : room.subarray(start);
    whole.write(head, 'latin1');
    // With room before it the body is where it belongs already.
    if (start < 0) body.copy(whole, head.length);
    return whole;
  }
  const parts: Buffer[] = [Buffer.from(head, 'latin1')];
  let at = 0;
  const add = (size: number, line: string) => {
    parts.push(Buffer.from(`${line}\r\n`, 'latin1'), body.subarray(at, at + size), CRLF);
    at += size;
  };
  if (content.chunks !== undefined) {
    for (const [i, size] of content.chunks.sizes.entries()) {
      add(size, content.chunks.lines.get(i) ?? size.toString(16));
    }
  } else if (body.length > 0) {
    add(body.length, body.length.toString(16));
  }
  parts.push(Buffer.from(`${content.lastLine ?? '0'}\r\n${content.trailers?.toWire() ?? ''}\r\n`, 'latin1'));
  return Buffer.concat(parts);
}

const CRLF = Buffer.from('\r\n');
