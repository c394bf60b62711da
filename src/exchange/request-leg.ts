import type { FlowError } from '../errors.js';
import { Headers } from '../flow/headers.js';
import { pathOf, type RequestRecord } from '../flow/message.js';
import type { OriginStream, OutgoingRequest, WholeBody } from '../origin/stream.js';
import type { BodyEnd, BodyEvents, BodyOutlet } from '../stream/body.js';
import type { CollectedBody, CollectReceiver } from '../stream/collected-body.js';
import { collectBody, decideBody, framingOf, lengthOf, streamBody } from './bodies.js';
import type { Exchange } from './exchange.js';
import {
  enforceFraming,
  removeBodyFields,
  removeProxyFields,
  TRAILERS_LOST,
  withoutProxyFields,
} from './framing.js';
import { acquireOrigin, type Destination, findServer, takeAnswer } from './serving.js';

const NOTHING = Buffer.alloc(0);
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** The request's way from the client to the origin. */
export class RequestLeg implements BodyEvents, CollectReceiver {
  /** The proxy answered `Expect: 100-continue` itself: the origin's 100 is not for the client. */
  swallows100 = false;
  /** The origin connection can be used again, as far as the request is concerned. */
  originKeepsAlive: boolean;
  readonly #message: RequestRecord;
  #body: (BodyEvents & { abort?(error: FlowError): void }) | undefined;
  #collected: CollectedBody | undefined;
  #whole: WholeBody | undefined;
  #forwarded = false;
  #retried = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly destination: Destination,
  ) {
    this.#message = exchange.flow.request;
    this.originKeepsAlive = exchange.head.keepAlive;
  }

  begin(): void {
    const { exchange } = this;
    const { framing } = exchange.head;
    removeProxyFields(this.#message.headers);
    if (framing.kind !== 'none' && !decideBody(exchange, this.#message, 'request', framing)) return;
    exchange.runHook('requestHeaders', exchange.client, () => this.#decided());
  }

  chunk(size: number, line: Buffer): void {
    this.#body?.chunk(size, line);
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.#body?.data(bytes, start, end);
  }

  wire(bytes: Buffer, start: number, end: number): void {
    this.#body?.wire(bytes, start, end);
  }

  end(lastLine: string | undefined, received: Headers | undefined): void {
    const trailers = withoutProxyFields(received);
    if (this.exchange.head.framing.kind === 'none') this.bodyCollected(undefined, { lastLine, trailers });
    else this.#body?.end(lastLine, trailers);
  }

  /** @param collected `undefined` where there was no body to collect */
  bodyCollected(collected: CollectedBody | undefined, end: BodyEnd): void {
    const { exchange } = this;
    const message = this.#message;
    if (exchange.over) return;
    message.record(collected?.take() ?? NOTHING, exchange.services.options.digest !== false);
    message.trailers = end.trailers;
    const received = message.trailers;
    exchange.runHook('request', undefined, () => {
      this.#whole = {
        bytes: message.rawBody,
        room: message.bodyEdited ? undefined : collected?.room,
        chunks: message.bodyEdited ? undefined : collected?.chunks,
        lastLine: message.trailers === received ? end.lastLine : undefined,
        trailers: message.trailers,
      };
      this.#forward();
    });
  }

  bodyRefused(): void {
    const over = `the request body is over bodySizeLimit, ${this.exchange.services.options.bodySizeLimit} octets`;
    this.exchange.fail('BODY_TOO_LARGE', over, undefined, 413);
  }

  bodyOutgrown(collected: CollectedBody): void {
    this.#message.becomeStreamed();
    this.#collected = undefined;
    this.#stream(collected);
  }

  /** An answer was given while nobody was looking: the origin, if one was asked, is left alone. */
  answerNow(): void {
    const { exchange } = this;
    if (!this.#forwarded || this.#whole === undefined) return;
    exchange.origin?.cut();
    this.#sendWhole(takeAnswer(exchange));
  }

  /**
   * The origin closed a connection that had served before, without a word, or refused the request: it is sent once more
   * if that is safe. Returns whether it is.
   * @param untouched the origin has certainly not begun to serve it
   */
  retry(untouched: boolean): boolean {
    if (this.#retried || this.#whole === undefined) return false;
    if (!untouched && !IDEMPOTENT.has(this.#message.method)) return false;
    this.#retried = true;
    // What else becomes of the one that was lost is nobody's concern.
    this.exchange.origin?.cut();
    acquireOrigin(this.exchange, this.destination, true, (origin) => this.#sendWhole(origin));
    return true;
  }

  /** The connection this exchange went over stays with its client's. */
  pinOrigin(): void {
    this.exchange.origin?.pinTo(this.destination.pin);
  }

  abort(error: FlowError): void {
    const message = this.#message;
    if (message.complete) return;
    this.#body?.abort?.(error);
    if (this.#collected !== undefined && message.bodyStatus === 'pending') {
      message.record(this.#collected.take(), false);
    }
    message.transfer.end();
  }

  #decided(): void {
    const { exchange } = this;
    const { head } = exchange;
    const message = this.#message;
    message.streamDecided = true;
    const streams = message.stream !== false && head.framing.kind !== 'none' && exchange.answer === undefined;
    if (!streams && (lengthOf(head.framing) ?? 0) > exchange.services.options.bodySizeLimit) {
      // Known before the body comes: nobody is asked to send it.
      this.bodyRefused();
      return;
    }
    if (head.expectContinue && !streams && head.framing.kind !== 'none') {
      message.headers.delete('expect');
      this.swallows100 = true;
      exchange.client.informational(100, 'Continue', new Headers());
    }
    if (streams) this.#stream();
    else this.#collect();
  }

  #collect(): void {
    const { exchange } = this;
    const { framing } = exchange.head;
    if (framing.kind === 'none') return;
    this.#collected = collectBody(exchange, this.#message, framing, this);
    this.#body = this.#collected;
  }

  /** Sends a recorded request on, or has it answered. */
  #forward(): void {
    this.#forwarded = true;
    findServer(this.exchange, this.destination, false, (origin) => this.#sendWhole(origin));
  }

  #sendWhole(origin: OriginStream): void {
    const { exchange } = this;
    const message = this.#message;
    const whole = this.#whole;
    if (whole === undefined || exchange.over) {
      origin.cut();
      return;
    }
    const { transfer } = message;
    const head = this.#outgoing(this.#wholeFraming(whole, origin), whole.bytes.length);
    message.headSent = true;
    this.#goTo(origin);
    origin.sendWhole(head, whole, (error) => {
      // A failed write is told by the connection's end.
      if (error || exchange.over || message.complete) return;
      message.sentWhole(
        whole.bytes,
        head.framing === 'chunked' && whole.chunks === undefined,
        exchange.services.options.digest !== false,
      );
      message.bodySent = true;
      message.complete = true;
      transfer.end();
      exchange.legEnded();
    });
  }

  #goTo(origin: OriginStream): void {
    const { exchange } = this;
    exchange.origin = origin;
    // An answer has none. One that was asked before it was given stays on the record.
    exchange.flow.server = origin.info ?? exchange.flow.server;
    origin.attach(exchange.response);
  }

  #wholeFraming(whole: WholeBody, origin: OriginStream): OutgoingRequest['framing'] {
    const { framing } = this.exchange.head;
    if (origin.http2 === true) {
      const unknown = framing.kind === 'frames' || framing.kind === 'chunked';
      return unknown && !this.#message.bodyEdited
        ? 'frames'
        : framing.kind === 'none' && whole.bytes.length === 0
          ? 'none'
          : 'length';
    }
    if (framing.kind === 'chunked' || whole.trailers !== undefined) return 'chunked';
    return whole.bytes.length === 0 && framing.kind === 'none' ? 'none' : 'length';
  }

  /** Streams the request. @param collected what had come before the decision */
  #stream(collected?: CollectedBody): void {
    const { exchange } = this;
    this.#message.bodyStatus = 'streamed';
    this.#body = undefined;
    exchange.client.pause();
    const ready = (origin: OriginStream) => {
      if (exchange.over) {
        origin.cut();
        return;
      }
      this.#streamTo(origin, collected);
      exchange.client.resume();
    };
    findServer(exchange, this.destination, true, ready);
  }

  #streamTo(origin: OriginStream, collected: CollectedBody | undefined): void {
    const { exchange } = this;
    const message = this.#message;
    const received = exchange.head.framing;
    const receiver = { frames: origin.http2 === true, mayChunk: true, mayClose: false };
    const framing = framingOf(message, received, receiver);
    const head = this.#outgoing(framing, lengthOf(received));
    this.#goTo(origin);
    message.headSent = true;
    const outlet = origin.send(head);
    const way = { source: exchange.client, received, outlet, framing };
    const body = streamBody(exchange, message, way, {
      // An upload that its transform did not want to the end is read on: the client has to send it all the same.
      end: (end, body, early) => {
        message.trailers = end.trailers;
        if (end.trailers !== undefined && framing === 'length' && !receiver.frames)
          exchange.flow.warn(`request.${TRAILERS_LOST}`);
        if (early) outlet.end(undefined, undefined, () => body.sentAll());
        else this.#finishStream(outlet, end, () => body.sentAll());
      },
      sourceEnded: (early) => {
        if (early) this.#finishStream(undefined, { lastLine: undefined, trailers: undefined });
      },
    });
    this.#body = body;
    collected?.replay(body);
  }

  #finishStream(outlet: BodyOutlet | undefined, end: BodyEnd, sentAll?: () => void): void {
    const { exchange } = this;
    const message = this.#message;
    exchange.runHook('request', undefined, () => {
      const sent = (error?: Error | null) => {
        if (error || exchange.over) return;
        sentAll?.();
        message.complete = true;
        message.transfer.end();
        exchange.legEnded();
      };
      message.bodySent = true;
      const lastLine = message.trailers === end.trailers ? end.lastLine : undefined;
      if (outlet === undefined) sent();
      else outlet.end(lastLine, message.trailers, sent);
    });
  }

  #outgoing(framing: OutgoingRequest['framing'], length: number | undefined): OutgoingRequest {
    const { head } = this.exchange;
    const message = this.#message;
    enforceFraming(message.headers, framing, length);
    if (framing === 'none') removeBodyFields(message.headers);
    const target = head.target === '*' && !message.rerouted ? '*' : pathOf(message.url);
    // Chunks can't be sent in a 1.0 request, and one whose length a transform changes can't be sent without.
    const version = framing === 'chunked' ? '1.1' : message.httpVersion;
    return { method: message.method, target, version, headers: message.headers, framing };
  }
}
