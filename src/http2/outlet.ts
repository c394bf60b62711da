import { constants, type Http2Stream, type OutgoingHttpHeaders } from 'node:http2';
import { queueMicrotask, setImmediate } from '../clock.js';
import type { Headers } from '../flow/headers.js';
import { Backlog, type BodyOutlet, type Written } from '../stream/body.js';
import { trailerFields } from './fields.js';

/**
 * Octets of a body that may wait in its stream. There are many streams to a session, and node:http2 refuses new ones when
 * 10 MB wait in all of them together (`maxSessionMemory`).
 */
const WINDOW = 64 * 1024;

/** Writes a body onto a stream of HTTP/2, which does the framing. The stream was made to wait for trailers. */
export class Http2Outlet implements BodyOutlet {
  onDrain: (() => void) | undefined;
  #trailers: OutgoingHttpHeaders = {};
  readonly #backlog = new Backlog(WINDOW);

  constructor(private readonly stream: Http2Stream) {
    stream.on('drain', () => this.onDrain?.());
    // Without any, an empty DATA frame ends the stream.
    whenTrailersWanted(stream, () => this.#trailers);
  }

  raw(bytes: Buffer, written: Written): boolean {
    return this.piece(bytes, written);
  }

  piece(bytes: Buffer, written: Written): boolean {
    if (!isWritable(this.stream)) {
      queueMicrotask(() => written(new Error('the stream is closed')));
      return true;
    }
    return this.#backlog.add(this.stream.write(bytes, written), this.stream.writableLength);
  }

  end(_lastLine: string | undefined, trailers: Headers | undefined, written: Written): void {
    this.#trailers = trailerFields(trailers);
    endStream(this.stream, undefined, true, written);
  }
}

/** Sends trailers when their turn comes, unless the stream is closed by then. */
export function whenTrailersWanted(stream: Http2Stream, trailers: () => OutgoingHttpHeaders): void {
  stream.once('wantTrailers', () => {
    if (!stream.closed && !stream.destroyed) stream.sendTrailers(trailers());
  });
}

/**
 * Ends a stream's sending side, with the last octets if there are any.
 * @param trailers whether the stream was made to wait for them
 */
export function endStream(
  stream: Http2Stream,
  last: Buffer | undefined,
  trailers: boolean,
  written: Written,
): void {
  if (!isWritable(stream)) {
    queueMicrotask(() => written(new Error('the stream is closed')));
    return;
  }
  let told = false;
  const tell = (error?: Error | null) => {
    if (told) return;
    told = true;
    written(error);
  };
  // Until they have gone, a stream that is closed loses its trailers; node:http2 sends them in a setImmediate.
  if (trailers) stream.once('wantTrailers', () => setImmediate(() => tell()));
  else stream.once('finish', () => tell());
  // A stream that both sides have ended may close without having told that it finished. Whoever else hears of its close
  // hears this first.
  stream.prependOnceListener('close', () => {
    const whole = stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted;
    tell(whole ? undefined : new Error('the stream was closed'));
  });
  if (last === undefined || last.length === 0) stream.end();
  else stream.end(last);
}

function isWritable(stream: Http2Stream): boolean {
  return !stream.destroyed && !stream.closed && !stream.writableEnded;
}
