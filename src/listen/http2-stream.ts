import {
  constants,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import type { ClientStream, OutgoingResponse } from '../exchange/client-stream.js';
import type { Exchange } from '../exchange/exchange.js';
import type { Headers } from '../flow/headers.js';
import type { ClientInfo } from '../flow/types.js';
import { receivedFields, responseFields, trailerFields } from '../http2/fields.js';
import { endStream, Http2Outlet } from '../http2/outlet.js';
import { nameOfCode, StreamReset } from '../http2/reset.js';
import type { Detached, WholeBody, Written } from '../origin/stream.js';
import type { BodyOutlet } from '../stream/body.js';

const EMPTY = Buffer.alloc(0);
/** How long a client may take for what was written before its stream is reset, in milliseconds. */
const LINGER = 2000;

/** A stream of a client's HTTP/2 connection: one exchange. */
export class Http2ClientStream implements ClientStream {
  readonly version = '2.0';
  #exchange: Exchange | undefined;
  #trailers: Headers | undefined;

  constructor(
    private readonly stream: ServerHttp2Stream,
    readonly info: ClientInfo,
  ) {
    // Its end is told by 'close', with the code.
    stream.on('error', () => undefined);
  }

  /** Tells `exchange` what comes, from the next turn of the event loop on. */
  serve(exchange: Exchange): void {
    const { stream } = this;
    this.#exchange = exchange;
    stream.on('data', (bytes: Buffer) => {
      this.#exchange?.request.data(bytes, 0, bytes.length);
      this.#exchange?.request.wire(bytes, 0, bytes.length);
    });
    stream.on('trailers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#trailers = receivedFields(raw).headers;
    });
    stream.on('end', () => {
      // A reset ends what can be read too.
      if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR)
        this.#exchange?.request.end(undefined, this.#trailers);
    });
    stream.on('close', () => {
      const code = stream.rstCode;
      const lost = code === 0 || stream.session?.destroyed !== false;
      const how = lost ? 'closed the connection' : `reset the stream with ${nameOfCode(code)}`;
      const cause = lost ? undefined : new StreamReset(code);
      this.#exchange?.clientGone(`the client ${how} before the exchange was over`, cause);
    });
  }

  proxyClosed(): void {
    this.#exchange?.fail('PROXY_CLOSED', 'the proxy was closed');
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  lend(): () => void {
    return NOOP;
  }

  informational(status: number, _statusText: string, headers: Headers): void {
    if (this.#mayRespond) this.stream.additionalHeaders(responseFields(status, headers));
  }

  respond({ status, headers }: OutgoingResponse): BodyOutlet {
    if (this.#mayRespond) {
      this.#send(responseFields(status, headers), { waitForTrailers: true });
    }
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
    this.#send(fields, { endStream: endsWithHead, waitForTrailers });
    if (waitForTrailers) stream.once('wantTrailers', () => stream.sendTrailers(trailerFields(body.trailers)));
    if (endsWithHead) process.nextTick(written);
    else endStream(stream, body.bytes, written);
  }

  done(): void {
    this.#exchange = undefined;
    const { stream } = this;
    if (stream.closed) return;
    // RFC 9113 section 8.1: the rest of a request that nobody wants need not come.
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    stream.resume();
  }

  cut(how: 'short' | 'reset' | 'now', cause?: unknown): void {
    this.#exchange = undefined;
    const { stream } = this;
    const code = cause instanceof StreamReset ? cause.code : constants.NGHTTP2_INTERNAL_ERROR;
    if (how === 'now' || stream.writableLength === 0) {
      stream.close(code);
      return;
    }
    // What was received reaches the client first, if it reads at all.
    const timer = setTimeout(() => stream.close(code), LINGER);
    stream.once('close', () => clearTimeout(timer));
    stream.write(EMPTY, () => stream.close(code));
  }

  detach(): Detached {
    throw new Error('a stream of HTTP/2 cannot be given up for another protocol');
  }

  #send(fields: OutgoingHttpHeaders, options: ServerStreamResponseOptions): void {
    // Not in the types, nor in Node's documentation: without it a Date is added.
    const withoutDate = { ...options, sendDate: false };
    this.stream.respond(fields, withoutDate);
  }

  get #mayRespond(): boolean {
    return !this.stream.destroyed && !this.stream.closed && !this.stream.headersSent;
  }
}

const NOOP = () => undefined;
