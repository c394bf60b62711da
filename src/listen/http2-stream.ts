import {
  constants,
  type Http2Session,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import { nextTick, queueMicrotask } from '../clock.js';
import type { FlowErrorCode } from '../errors.js';
import type { ClientStream, OutgoingResponse } from '../exchange/client-stream.js';
import type { Exchange } from '../exchange/exchange.js';
import type { Headers } from '../flow/headers.js';
import type { ClientInfo } from '../flow/types.js';
import { ProtocolError } from '../http1/head.js';
import { watchEnd } from '../http2/ending.js';
import { responseFields, trailerFields } from '../http2/fields.js';
import { receivedTrailers } from '../http2/heads.js';
import { endStream, Http2Outlet, whenTrailersWanted } from '../http2/outlet.js';
import { nameOfCode, resetStream, resetWhenWritten, StreamReset } from '../http2/reset.js';
import type { Detached, WholeBody, Written } from '../origin/stream.js';
import type { BodyOutlet } from '../stream/body.js';
import { countRead } from '../tcp/read-garbage.js';

/** A stream of a client's HTTP/2 connection: one exchange. */
export class Http2ClientStream implements ClientStream {
  readonly version = '2.0';
  #exchange: Exchange | undefined;
  #trailers: Headers | undefined;
  /** It was closed, or reset, from here. */
  #closedHere = false;
  #paused = false;
  /** Nothing more is to be told of the client's connection. */
  #settled: (() => void) | undefined;
  /** The request is over, which node:http2 may say while the stream is paused, and that has not been told. */
  #ended = false;

  constructor(
    private readonly stream: ServerHttp2Stream,
    readonly info: ClientInfo,
  ) {
    // Its end is told by 'close', with the code.
    stream.on('error', () => undefined);
  }

  /** Once the stream is closed: the client has reset it, or was made to by what it sent. */
  get wasReset(): boolean {
    return !this.#closedHere && (this.stream.aborted || this.stream.rstCode !== constants.NGHTTP2_NO_ERROR);
  }

  /** Tells `exchange` what comes, from the next turn of the event loop on. */
  serve(exchange: Exchange): void {
    const { stream } = this;
    const whole = isEnded(stream) ? () => true : watchEnd(stream);
    // A stream that is closed no longer knows it.
    const { session } = stream;
    this.#exchange = exchange;
    stream.on('data', (bytes: Buffer) => {
      countRead(bytes.length);
      this.#exchange?.request.data(bytes, 0, bytes.length);
      this.#exchange?.request.wire(bytes, 0, bytes.length);
    });
    stream.on('trailers', (_headers: unknown, _flags: number, raw: string[]) => this.#trailersCame(raw));
    stream.on('end', () => {
      // A reset ends what can be read too.
      if (!whole()) return;
      this.#ended = true;
      if (!this.#paused) this.#tellEnd();
    });
    stream.on('close', () => {
      const code = stream.rstCode;
      if (session?.destroyed !== false) this.gone('the client closed the connection');
      else if (whole() && code === constants.NGHTTP2_NO_ERROR && !stream.aborted) this.#outlive(session);
      else if (!whole() && !stream.headersSent && OWN_VERDICTS.has(code)) {
        // The client had nothing to find fault with yet: its own body or trailers were at fault.
        this.fail('CLIENT_PROTOCOL', `the request is not valid HTTP/2: ${nameOfCode(code)}`);
      } else {
        this.gone(`the client reset the stream with ${nameOfCode(code)}`, new StreamReset(code));
      }
    });
  }

  /** Both sides have ended the stream, and the origin has yet to get the end of the upload. */
  #outlive(session: Http2Session): void {
    if (this.#exchange === undefined) return;
    const lost = () => this.gone('the client closed the connection');
    // There may be as many as there are streams.
    session.setMaxListeners(0).once('close', lost);
    this.#settled = () => session.off('close', lost);
  }

  #tellEnd(): void {
    if (!this.#ended) return;
    this.#ended = false;
    this.#exchange?.request.end(undefined, this.#trailers);
  }

  /** The client will get no more. */
  gone(how: string, cause?: StreamReset): void {
    this.#exchange?.clientGone(`${how} before the exchange was over`, cause);
  }

  /** Ends the exchange, if there is one, in an error that its client can't be told of. */
  fail(code: FlowErrorCode, why: string): void {
    this.#exchange?.fail(code, why, undefined, 'cut');
  }

  pause(): void {
    this.#paused = true;
    this.stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.stream.resume();
    if (this.#ended) {
      nextTick(() => {
        if (!this.#paused) this.#tellEnd();
      });
    }
  }

  lend(): () => void {
    return NOOP;
  }

  informational(status: number, _statusText: string, headers: Headers): void {
    if (this.#mayRespond) this.stream.additionalHeaders(responseFields(status, headers));
  }

  respond({ status, headers }: OutgoingResponse): BodyOutlet {
    if (this.#mayRespond) this.#send(responseFields(status, headers), { waitForTrailers: true });
    return new Http2Outlet(this.stream);
  }

  respondWhole(head: OutgoingResponse, body: WholeBody, written: Written): void {
    const { stream } = this;
    if (!this.#mayRespond) {
      queueMicrotask(() => written(new Error('the stream is closed')));
      return;
    }
    const fields = responseFields(head.status, head.headers);
    const waitForTrailers = body.trailers !== undefined;
    const endsWithHead = head.framing === 'none' || (body.bytes.length === 0 && !waitForTrailers);
    if (!this.#send(fields, { endStream: endsWithHead, waitForTrailers })) return;
    if (waitForTrailers) whenTrailersWanted(stream, () => trailerFields(body.trailers));
    // To some, such as 205, node:http2 does not let a body follow.
    if (endsWithHead || stream.writableEnded) nextTick(written);
    else endStream(stream, body.bytes, waitForTrailers, written);
  }

  done(): void {
    this.#exchange = undefined;
    this.#settled?.();
    const { stream } = this;
    if (stream.closed) return;
    this.#closedHere = true;
    // RFC 9113 section 8.1: the rest of a request that nobody wants need not come.
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    stream.resume();
  }

  cut(how: 'short' | 'reset' | 'now', cause?: unknown): void {
    this.#exchange = undefined;
    this.#settled?.();
    this.#closedHere = true;
    const { stream } = this;
    const code = cause instanceof StreamReset ? cause.codeToPass : constants.NGHTTP2_INTERNAL_ERROR;
    // What was received reaches the client first, if it reads at all.
    if (how === 'now') resetStream(stream, code);
    else resetWhenWritten(stream, code);
  }

  detach(): Detached {
    throw new Error('a stream of HTTP/2 cannot be given up for another protocol');
  }

  /** Returns whether there can be such a response. */
  #send(fields: OutgoingHttpHeaders, options: ServerStreamResponseOptions): boolean {
    const status = Number(fields[':status']);
    if (status > 599) {
      const why = `status ${status} can't be sent to an HTTP/2 client (RFC 9110 section 15)`;
      this.#exchange?.fail('ORIGIN_PROTOCOL', why, undefined, 'cut');
      return false;
    }
    // No body can follow, so that none must be spoken of.
    if (status === 205) delete fields['content-length'];
    // Not in the types, nor in Node's documentation: without it a Date is added.
    const withoutDate = { ...options, sendDate: false };
    this.stream.respond(fields, withoutDate);
    return true;
  }

  #trailersCame(raw: string[]): void {
    try {
      this.#trailers = receivedTrailers(raw);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const why = `the request is not valid HTTP/2: ${error.message}`;
      this.#exchange?.fail('CLIENT_PROTOCOL', why, undefined, error.status);
    }
  }

  get #mayRespond(): boolean {
    return !this.stream.destroyed && !this.stream.closed && !this.stream.headersSent;
  }
}

const NOOP = () => undefined;

/** What nghttp2 resets a stream with for what came on it. */
const OWN_VERDICTS: ReadonlySet<number> = new Set([
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_FLOW_CONTROL_ERROR,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
]);

/** Whether all of a request has come: what arrives in one read may all be there before its stream is told of. */
function isEnded(stream: ServerHttp2Stream): boolean {
  if (stream.endAfterHeaders) return true;
  return !stream.closed && stream.state.state === constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE;
}
