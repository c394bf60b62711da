import type { ClientHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { nextTick, queueMicrotask } from '../clock.js';
import { messageOf } from '../errors.js';
import type { Headers } from '../flow/headers.js';
import type { ServerInfo } from '../flow/types.js';
import { ProtocolError } from '../http1/head.js';
import { watchEnd } from '../http2/ending.js';
import { receivedFields, requestFields, trailerFields } from '../http2/fields.js';
import { receivedTrailers, responseHead } from '../http2/heads.js';
import { checkSize } from '../http2/limits.js';
import { endStream, Http2Outlet, whenTrailersWanted } from '../http2/outlet.js';
import { nameOfCode, REFUSED_STREAM, resetStream, resetWhenWritten, StreamReset } from '../http2/reset.js';
import type { BodyOutlet } from '../stream/body.js';
import { countRead } from '../tcp/read-garbage.js';
import type { Http2Origin } from './http2-origin.js';
import type { Detached, OriginEvents, OriginStream, OutgoingRequest, WholeBody, Written } from './stream.js';

/** A stream of an origin's HTTP/2 connection, for one exchange. */
export class Http2OriginStream implements OriginStream {
  readonly http2 = true;
  #events: OriginEvents | undefined;
  #stream: ClientHttp2Stream | undefined;
  #trailers: Headers | undefined;
  #answered = false;
  #headCame = false;
  /** The body is being read: there is something to pause and resume. */
  #reading = false;
  #method = '';
  #paused = false;
  /** The response has been told to its end, or that it has none. */
  #over = false;
  /** What came before the stream was closed and has not been told. */
  readonly #left: Buffer[] = [];
  /** There is no more to read: node:http2 may say so while the stream is paused. */
  #readEnded = false;
  #closed = false;
  /** The origin has ended the response with END_STREAM. */
  #whole = () => false;
  /** It has closed the stream without an error, and nothing is known to be missing. */
  #enough = false;
  /** Octets that are still to come; `undefined` where no length was stated, or before the head. */
  #missing: number | undefined;

  constructor(
    private readonly origin: Http2Origin,
    readonly info: ServerInfo,
  ) {}

  get unanswered(): boolean {
    return !this.#answered;
  }

  attach(events: OriginEvents): void {
    this.#events = events;
  }

  send(head: OutgoingRequest): BodyOutlet {
    const stream = this.#request(head, head.framing === 'none', true);
    return stream === undefined ? new LostOutlet() : new Http2Outlet(stream);
  }

  sendWhole(head: OutgoingRequest, body: WholeBody, written: Written): void {
    const { trailers } = body;
    const waits = trailers !== undefined;
    const endsWithHead = !waits && (head.framing === 'none' || body.bytes.length === 0);
    const stream = this.#request(head, endsWithHead, waits);
    if (stream === undefined) return;
    if (waits) whenTrailersWanted(stream, () => trailerFields(trailers));
    if (endsWithHead) nextTick(written);
    else endStream(stream, body.bytes, waits, written);
  }

  pause(): void {
    this.#paused = true;
    if (this.#reading) this.#stream?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#reading) this.#stream?.resume();
    if (this.#readEnded) nextTick(() => this.#tellEnd());
  }

  lend(): () => void {
    return NOOP;
  }

  /** The connection goes on in any case. */
  release(): void {
    if (!this.#over) {
      this.cut();
      return;
    }
    this.#events = undefined;
    this.#stream?.resume();
  }

  cut(how: 'now' | 'reset' = 'now'): void {
    this.#events = undefined;
    const stream = this.#stream;
    if (stream === undefined) return;
    if (!stream.closed) {
      if (how === 'reset') resetWhenWritten(stream, constants.NGHTTP2_CANCEL);
      else resetStream(stream, constants.NGHTTP2_CANCEL);
    } else {
      // What comes now is for nobody, but has to be read for the stream to end.
      stream.resume();
    }
  }

  /** Nothing of HTTP/2 authenticates a connection. */
  pinTo(): void {}

  detach(): Detached {
    throw new Error('a stream of HTTP/2 cannot be given up for another protocol');
  }

  #request(
    head: OutgoingRequest,
    endStreamNow: boolean,
    waitForTrailers: boolean,
  ): ClientHttp2Stream | undefined {
    this.#method = head.method;
    const { session, scheme, authority } = this.origin;
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(requestFields(head, scheme, authority), {
        endStream: endStreamNow,
        waitForTrailers,
      });
    } catch (error) {
      const why = messageOf(error);
      // A connection that was lost between the decision to use it and now has certainly not seen the request.
      const lost = session.closed || session.destroyed;
      queueMicrotask(() => {
        if (lost) this.#failed(`the origin closed the connection: ${why}`, new StreamReset(REFUSED_STREAM));
        else this.#events?.failed('INTERNAL', `the request can't be written as HTTP/2: ${why}`, error);
      });
      return undefined;
    }
    this.#stream = stream;
    this.origin.began();
    stream.once('close', () => this.origin.ended());
    this.#listen(stream);
    return stream;
  }

  #listen(stream: ClientHttp2Stream): void {
    this.#whole = watchEnd(stream);
    stream.on('error', NOOP);
    stream.on('headers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#answered = true;
      this.#head(raw, false);
    });
    stream.on('response', (_headers: unknown, flags: number, raw: string[]) => {
      this.#answered = true;
      this.#head(raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
      this.#read(stream);
    });
    stream.on('trailers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#heard(() => {
        this.#trailers = receivedTrailers(raw);
      });
    });
    stream.on('end', () => {
      this.#readEnded = true;
      const closed = stream.closed && stream.rstCode === constants.NGHTTP2_NO_ERROR;
      // Servers of Node's end a response that way when they are busy. Browsers take it for whole, too.
      this.#enough = closed && !this.origin.session.destroyed && this.#headCame && !this.#missing;
      this.#tellEnd();
    });
    stream.on('close', () => {
      // A stream that is reset drops what it holds for a reader that is not ready.
      for (let part = stream.read(); part !== null; part = stream.read()) this.#left.push(part);
      this.#readEnded = true;
      this.#closed = true;
      this.#tellEnd();
    });
  }

  /** Not before the head has been told: node:http2 puts that off, and what follows in the same read it does not. */
  #read(stream: ClientHttp2Stream): void {
    this.#reading = true;
    if (this.#paused) stream.pause();
    stream.on('data', (bytes: Buffer) => this.#data(bytes));
  }

  /** Tells what is left, then the end, then how the stream was closed; not while paused. */
  #tellEnd(): void {
    while (!this.#paused) {
      const part = this.#left.shift();
      if (part !== undefined) {
        this.#data(part);
      } else if (!this.#over && (this.#whole() || this.#enough)) {
        this.#over = true;
        this.#events?.end(undefined, this.#trailers);
      } else {
        if (this.#closed) this.#tellClose();
        return;
      }
    }
  }

  #data(bytes: Buffer): void {
    countRead(bytes.length);
    if (this.#missing !== undefined) this.#missing -= bytes.length;
    this.#events?.data(bytes, 0, bytes.length);
    this.#events?.wire(bytes, 0, bytes.length);
  }

  /** Tells why the stream is closed, unless both sides have ended it. */
  #tellClose(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const code = stream.rstCode;
    if (this.#over && code === constants.NGHTTP2_NO_ERROR && !stream.aborted) return;
    const { origin } = this;
    if (code === constants.NGHTTP2_HTTP_1_1_REQUIRED) origin.http1Required();
    if (origin.excludes(stream.id)) {
      this.#failed(`the origin closed the connection${origin.lastWords}`, new StreamReset(REFUSED_STREAM));
    } else if (origin.session.destroyed) {
      this.#failed(`the origin closed the connection${origin.lastWords}`, origin.failure);
    } else {
      const either = OWN_VERDICTS.has(code) ? ', or sent what is not valid HTTP/2' : '';
      this.#failed(`the origin reset the stream with ${nameOfCode(code)}${either}`, new StreamReset(code));
    }
  }

  #head(raw: string[], ended: boolean): void {
    this.#heard(() => {
      checkSize(raw, 'head');
      const head = responseHead(receivedFields(raw), this.#method, ended);
      if (head.status < 200) {
        this.#events?.informational(head);
        return;
      }
      this.#headCame = true;
      this.#missing = head.framing.kind === 'length' ? head.framing.length : undefined;
      this.#events?.head(head);
    });
  }

  /** Reads something; what is not valid fails the exchange. */
  #heard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#events?.failed('ORIGIN_PROTOCOL', `the origin's response is not valid HTTP/2: ${error.message}`);
    }
  }

  #failed(message: string, cause: Error | undefined): void {
    this.#over = true;
    this.#events?.failed('ORIGIN_CLOSED', message, cause);
  }
}

const NOOP = () => undefined;

/** What nghttp2 itself resets a stream with for what came on it: the two can't be told apart. */
const OWN_VERDICTS: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
]);

/** For a request that could not be sent: its failure is told already. */
class LostOutlet implements BodyOutlet {
  onDrain: (() => void) | undefined;

  raw(_bytes: Buffer, written: Written): boolean {
    return this.piece(_bytes, written);
  }

  piece(_bytes: Buffer, written: Written): boolean {
    queueMicrotask(() => written(new Error('the stream is closed')));
    return true;
  }

  end(_lastLine: string | undefined, _trailers: Headers | undefined, written: Written): void {
    queueMicrotask(() => written(new Error('the stream is closed')));
  }
}
