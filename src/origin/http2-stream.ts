import type { ClientHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import type { Headers } from '../flow/headers.js';
import type { ServerInfo } from '../flow/types.js';
import { ProtocolError } from '../http1/head.js';
import { receivedFields, requestFields, trailerFields } from '../http2/fields.js';
import { responseHead } from '../http2/heads.js';
import { endStream, Http2Outlet } from '../http2/outlet.js';
import { nameOfCode, StreamReset } from '../http2/reset.js';
import type { BodyOutlet } from '../stream/body.js';
import type { Http2Origin } from './http2-origin.js';
import type { Detached, OriginEvents, OriginStream, OutgoingRequest, WholeBody, Written } from './stream.js';

/** A stream of an origin's HTTP/2 connection, for one exchange. */
export class Http2OriginStream implements OriginStream {
  readonly http2 = true;
  #events: OriginEvents | undefined;
  #stream: ClientHttp2Stream | undefined;
  #trailers: Headers | undefined;
  #answered = false;
  #method = '';
  #over = false;

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
    if (waits) stream.once('wantTrailers', () => stream.sendTrailers(trailerFields(trailers)));
    if (endsWithHead) process.nextTick(written);
    else endStream(stream, body.bytes, written);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  lend(): () => void {
    return NOOP;
  }

  release(reusable: boolean): void {
    const stream = this.#stream;
    if (!reusable && stream !== undefined && !stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    this.#done();
  }

  cut(): void {
    const stream = this.#stream;
    if (stream !== undefined && !stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    this.#done();
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
      const why = error instanceof Error ? error.message : String(error);
      // A connection that was lost between the decision to use it and now has certainly not seen the request.
      const lost = session.closed || session.destroyed;
      queueMicrotask(() => {
        if (lost)
          this.#failed(
            `the origin closed the connection: ${why}`,
            new StreamReset(constants.NGHTTP2_REFUSED_STREAM),
          );
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
    stream.on('error', NOOP);
    stream.on('headers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#answered = true;
      this.#head(raw, false);
    });
    stream.on('response', (_headers: unknown, flags: number, raw: string[]) => {
      this.#answered = true;
      this.#head(raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
    });
    stream.on('data', (bytes: Buffer) => {
      this.#events?.data(bytes, 0, bytes.length);
      this.#events?.wire(bytes, 0, bytes.length);
    });
    stream.on('trailers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#trailers = receivedFields(raw).headers;
    });
    stream.on('end', () => {
      // A reset ends what can be read too.
      if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      this.#over = true;
      this.#events?.end(undefined, this.#trailers);
    });
    stream.on('close', () => {
      if (this.#over) return;
      const code = stream.rstCode;
      const lost = this.origin.session.destroyed;
      const how = lost ? 'closed the connection' : `reset the stream with ${nameOfCode(code)}`;
      this.#failed(`the origin ${how}${this.origin.lastWords}`, new StreamReset(code));
    });
  }

  #head(raw: string[], ended: boolean): void {
    try {
      const head = responseHead(receivedFields(raw), this.#method, ended);
      if (head.status < 200) this.#events?.informational(head);
      else this.#events?.head(head);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#events?.failed('ORIGIN_PROTOCOL', `the origin's response is not valid HTTP/2: ${error.message}`);
    }
  }

  #failed(message: string, cause: StreamReset): void {
    this.#over = true;
    this.#events?.failed('ORIGIN_CLOSED', message, cause);
  }

  #done(): void {
    this.#events = undefined;
    // What comes now is for nobody, but has to be read for the stream to end.
    this.#stream?.resume();
  }
}

const NOOP = () => undefined;

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
