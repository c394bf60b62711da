import { constants, type Http2Stream, type OutgoingHttpHeaders } from 'node:http2';
import type { Headers } from '../flow/headers.js';
import type { BodyOutlet } from '../stream/body.js';
import { trailerFields } from './fields.js';

type Written = (error?: Error | null) => void;

/** Writes a body onto a stream of HTTP/2, which does the framing. The stream was made to wait for trailers. */
export class Http2Outlet implements BodyOutlet {
  onDrain: (() => void) | undefined;
  #trailers: OutgoingHttpHeaders = {};

  constructor(private readonly stream: Http2Stream) {
    stream.on('drain', () => this.onDrain?.());
    // Without any, an empty DATA frame ends the stream.
    stream.once('wantTrailers', () => stream.sendTrailers(this.#trailers));
  }

  raw(bytes: Buffer, written: Written): boolean {
    return this.piece(bytes, written);
  }

  piece(bytes: Buffer, written: Written): boolean {
    if (!isWritable(this.stream)) {
      queueMicrotask(() => written(new Error('the stream is closed')));
      return true;
    }
    return this.stream.write(bytes, written);
  }

  end(_lastLine: string | undefined, trailers: Headers | undefined, written: Written): void {
    this.#trailers = trailerFields(trailers);
    endStream(this.stream, undefined, written);
  }
}

/** Ends a stream's sending side, with the last octets if there are any. */
export function endStream(stream: Http2Stream, last: Buffer | undefined, written: Written): void {
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
  stream.once('finish', () => tell());
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
