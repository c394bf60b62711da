import type { FlowError, FlowErrorCode } from '../errors.js';
import type { Headers } from '../flow/headers.js';
import { ResponseRecord } from '../flow/response.js';
import { now } from '../flow/transfer.js';
import { hasToken, type ResponseHead } from '../http1/head.js';
import { StreamReset } from '../http2/reset.js';
import type { OriginEvents, OriginStream, WholeBody } from '../origin/stream.js';
import type { BodyEnd, BodyEvents, BodyOutlet } from '../stream/body.js';
import type { CollectedBody, CollectReceiver } from '../stream/collected-body.js';
import type { EventTap } from '../stream/event-tap.js';
import { AnswerStream } from './answer.js';
import { collectBody, decideBody, eventTap, framingOf, lengthOf, streamBody } from './bodies.js';
import type { OutgoingResponse } from './client-stream.js';
import type { Exchange } from './exchange.js';
import { enforceFraming, TRAILERS_LOST } from './framing.js';
import { takeAnswer } from './serving.js';
import { switchProtocols } from './switching.js';

/** Interim responses that are taken for one request: they are all kept, and nothing holds the origin back. */
const MAX_INFORMATIONAL = 1000;

/** The response's way from the origin to the client. */
export class ResponseLeg implements OriginEvents, CollectReceiver {
  /** The head has gone to the client. */
  headSent = false;
  /** The last octet has been handed to the client's connection. */
  ended = false;
  originKeepsAlive = false;
  clientKeepsAlive = false;
  /** The origin is not needed for the response any more. */
  #received = false;
  #framing: OutgoingResponse['framing'] = 'none';
  #head: ResponseHead | undefined;
  #body: (BodyEvents & { abort?(error: FlowError): void }) | undefined;
  #collected: CollectedBody | undefined;
  #events: EventTap | undefined;
  /** The origin was lost while the end of the response was still on its way to the client. */
  #failure: (() => void) | undefined;
  /** Hooks do not run again for an answer that replaces a response in them. */
  #hooksRun = { responseHeaders: false, response: false };

  constructor(private readonly exchange: Exchange) {}

  /** A body whose end is the connection's: cutting it in an orderly way would look complete. */
  get closeDelimited(): boolean {
    return this.headSent && this.#framing === 'close' && !this.ended;
  }

  /** The client has every octet of a body whose length it knows: what is still to come is on this side only. */
  get delivered(): boolean {
    const { response } = this.exchange.flow;
    if (response?.bodyStatus !== 'streamed' || this.#framing !== 'length' || !this.#received) return false;
    return response.transfer.sent.bytes === Number(response.headers.get('content-length'));
  }

  informational(head: ResponseHead): void {
    const { flow, client, request } = this.exchange;
    if (flow.informational.length >= MAX_INFORMATIONAL) {
      const flood = `the origin sent more than ${MAX_INFORMATIONAL} interim responses`;
      this.exchange.fail('ORIGIN_PROTOCOL', flood);
      return;
    }
    const { status, statusText, headers } = head;
    flow.informational.push({ status, statusText, headers, timestamp: now() });
    if (status !== 100 || !request.swallows100) client.informational(status, statusText, headers);
  }

  head(head: ResponseHead): void {
    const { exchange } = this;
    const { flow } = exchange;
    this.#head = head;
    this.originKeepsAlive = head.keepAlive;
    const response = new ResponseRecord(flow, head);
    flow.response = response;
    if (head.status === 101) {
      this.#upgrade(head, response);
      return;
    }
    if (head.framing.kind !== 'none') {
      if (exchange.origin instanceof AnswerStream && exchange.origin.streams) response.streamByDefault(true);
      if (!decideBody(exchange, response, 'response', head.framing)) return;
    }
    this.#runHook('responseHeaders', exchange.origin, () => this.#decided(head, response));
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

  end(lastLine: string | undefined, trailers: Headers | undefined): void {
    this.#received = true;
    this.#body?.end(lastLine, trailers);
  }

  bodyCollected(collected: CollectedBody, end: BodyEnd): void {
    const { flow, services, over } = this.exchange;
    const { response } = flow;
    if (response === undefined || over) return;
    response.record(collected.take(), services.options.digest !== false);
    response.trailers = end.trailers;
    const received = response.trailers;
    this.#runHook('response', undefined, () => {
      this.#sendWhole(response, {
        bytes: response.rawBody,
        room: response.bodyEdited ? undefined : collected.room,
        chunks: response.bodyEdited ? undefined : collected.chunks,
        lastLine: response.trailers === received ? end.lastLine : undefined,
        trailers: response.trailers,
      });
    });
  }

  bodyRefused(): void {
    const over = `the response body is over bodySizeLimit, ${this.exchange.services.options.bodySizeLimit} octets`;
    this.exchange.fail('BODY_TOO_LARGE', over);
  }

  bodyOutgrown(collected: CollectedBody): void {
    const { response } = this.exchange.flow;
    if (response === undefined || this.#head === undefined) return;
    response.becomeStreamed();
    this.#collected = undefined;
    this.#stream(this.#head, response);
    if (this.#body !== undefined) collected.replay(this.#body);
  }

  failed(code: FlowErrorCode, message: string, cause?: unknown): void {
    const { exchange } = this;
    if (exchange.over) return;
    // Now the connection is only needed for the rest of an upload, and the client has its response first.
    if (this.#received && exchange.flow.response?.complete !== true) {
      if (!exchange.flow.request.complete) this.#failure = () => exchange.fail(code, message, cause);
      return;
    }
    const reset = cause instanceof StreamReset;
    if (this.#head === undefined && reset && cause.unprocessed && exchange.request.retry(true)) return;
    // A stream that is reset has been looked at.
    const stale = !reset && exchange.origin?.info?.reused === true && exchange.origin.unanswered === true;
    if (this.#head === undefined && stale && code === 'ORIGIN_CLOSED') {
      if (exchange.request.retry(false)) return;
      // The client must not take this for the origin's word: it can try again itself, as it would without a proxy.
      exchange.fail(code, `${message}; the request could not be sent again`, cause, 'cut');
      return;
    }
    const fail = () => exchange.fail(code, message, cause);
    // Encoded events that are being read go out before the failure is told.
    if (this.#events === undefined) fail();
    else this.#events.settled(fail);
  }

  abort(error: FlowError): void {
    const { response } = this.exchange.flow;
    if (response === undefined || response.complete) return;
    this.#body?.abort?.(error);
    if (this.#collected !== undefined && response.bodyStatus === 'pending') {
      response.record(this.#collected.take(), false);
    }
    response.transfer.end();
  }

  #runHook(hook: 'responseHeaders' | 'response', source: OriginStream | undefined, next: () => void): void {
    const { exchange } = this;
    if (this.#hooksRun[hook]) {
      next();
      return;
    }
    this.#hooksRun[hook] = true;
    exchange.runHook(hook, source, () => {
      if (exchange.answer === undefined) next();
      else this.#replace();
    });
  }

  /** A hook answered in place of the origin's response, of which nothing has gone out. */
  #replace(): void {
    const { exchange } = this;
    exchange.origin?.cut();
    this.#body = undefined;
    this.#collected = undefined;
    this.#received = false;
    if (!exchange.flow.request.complete) {
      const why = 'a hook answered in place of the origin before the request had been sent to its end';
      this.#failure = () => exchange.fail('ORIGIN_CLOSED', why);
    }
    const answer = takeAnswer(exchange);
    exchange.origin = answer;
    answer.attach(this);
    answer.begin();
  }

  #decided(head: ResponseHead, response: ResponseRecord): void {
    response.streamDecided = true;
    const hasBody = head.framing.kind !== 'none' && !this.#bodiless(response);
    if (response.stream !== false && hasBody) this.#stream(head, response);
    else this.#collect(head, response);
  }

  #collect(head: ResponseHead, response: ResponseRecord): void {
    this.#collected = collectBody(this.exchange, response, head.framing, this);
    this.#body = this.#collected;
  }

  #sendWhole(response: ResponseRecord, whole: WholeBody): void {
    const { exchange } = this;
    const framing = this.#wholeFraming(response, whole);
    const head = this.#outgoing(response, framing, framing === 'length' ? whole.bytes.length : undefined);
    this.ended = true;
    exchange.client.respondWhole(head, framing === 'none' ? { ...whole, bytes: NOTHING } : whole, (error) => {
      // A failed write is told by the client's end.
      if (error || exchange.over) return;
      response.sentWhole(
        whole.bytes,
        framing === 'chunked' && whole.chunks === undefined,
        exchange.services.options.digest !== false,
      );
      this.#complete(response);
    });
  }

  #wholeFraming(response: ResponseRecord, whole: WholeBody): OutgoingResponse['framing'] {
    const received = this.#head?.framing.kind ?? 'none';
    if (this.#bodiless(response)) {
      if (whole.bytes.length > 0) {
        const { flow, head } = this.exchange;
        flow.warn(`the body is not sent: ${response.status} to ${head.method} cannot have one`);
        if (response.status === 204) {
          // RFC 9110 section 8.6: there must not even be the fields that speak of one.
          response.headers.delete('content-length');
          response.headers.delete('transfer-encoding');
        }
      }
      return 'none';
    }
    if (this.#frames) {
      const stated = received === 'none' && response.headers.has('content-length');
      return received === 'length' || stated || response.bodyEdited ? 'length' : 'frames';
    }
    if (received === 'chunked' || whole.trailers !== undefined)
      return this.#mayChunk(response) ? 'chunked' : 'length';
    if (received === 'close' && !response.bodyEdited) return 'close';
    // A status or method that was edited may have had no body, and no length: the client must not wait for one.
    return 'length';
  }

  /** By what the client asked, whatever became of its request, no body may follow. */
  #bodiless(response: ResponseRecord): boolean {
    return this.exchange.head.method === 'HEAD' || response.status === 204 || response.status === 304;
  }

  /** The client speaks HTTP/2. */
  get #frames(): boolean {
    return this.exchange.client.version === '2.0';
  }

  #mayChunk(response: ResponseRecord): boolean {
    return this.exchange.client.version !== '1.0' && response.httpVersion !== '1.0';
  }

  #stream(head: ResponseHead, response: ResponseRecord): void {
    const { exchange } = this;
    const { origin } = exchange;
    if (origin === undefined) throw new Error('a response without an origin');
    response.bodyStatus = 'streamed';
    const receiver = { frames: this.#frames, mayChunk: this.#mayChunk(response), mayClose: true };
    const framing = framingOf(response, head.framing, receiver);
    const outlet = exchange.client.respond(this.#outgoing(response, framing, lengthOf(head.framing)));
    this.#events = eventTap(exchange, response);
    const way = { source: origin, received: head.framing, outlet, framing, events: this.#events };
    this.#body = streamBody(exchange, response, way, {
      end: (end, body, early) => {
        if (early) {
          this.#received = true;
          this.originKeepsAlive = false;
          // An upload may still need the connection.
          if (exchange.flow.request.complete) origin.cut();
        }
        this.#finishStream(response, outlet, end, () => body.sentAll());
      },
      // What an origin sends to a transform that is done is cut off, not waited for.
      sourceEnded: () => undefined,
    });
  }

  #finishStream(response: ResponseRecord, outlet: BodyOutlet, end: BodyEnd, sentAll: () => void): void {
    const { exchange } = this;
    response.trailers = end.trailers;
    this.exchange.runHook('response', undefined, () => {
      response.bodySent = true;
      this.ended = true;
      const edited = response.trailers !== end.trailers;
      const fit = this.#framing === 'chunked' || this.#frames;
      if (edited && !fit)
        exchange.flow.warn(
          'response.trailers were assigned to a streamed body without chunks: they have no place',
        );
      else if (response.trailers !== undefined && !fit) exchange.flow.warn(`response.${TRAILERS_LOST}`);
      outlet.end(edited ? undefined : end.lastLine, response.trailers, (error) => {
        if ((error && !this.delivered) || exchange.over) return;
        sentAll();
        this.#complete(response);
      });
    });
  }

  #complete(response: ResponseRecord): void {
    response.bodySent = true;
    response.complete = true;
    response.transfer.end();
    this.exchange.legEnded();
    this.#failure?.();
  }

  #outgoing(
    response: ResponseRecord,
    framing: OutgoingResponse['framing'],
    length?: number,
  ): OutgoingResponse {
    const { client } = this.exchange;
    enforceFraming(response.headers, framing, length);
    const connection = response.headers.get('connection');
    const closes = framing === 'close' || hasToken(connection, 'close');
    const bothPersist = client.version !== '1.0' && response.httpVersion !== '1.0';
    this.clientKeepsAlive = !closes && (bothPersist || hasToken(connection, 'keep-alive'));
    this.headSent = true;
    this.#framing = framing;
    response.headSent = true;
    const { status, statusText, httpVersion, headers } = response;
    return { status, statusText, version: httpVersion, headers, framing };
  }

  /** The connections become those of another protocol: a WebSocket, or a raw tunnel that is not looked into. */
  #upgrade(head: ResponseHead, response: ResponseRecord): void {
    const { exchange } = this;
    const { origin, client } = exchange;
    if (origin === undefined) throw new Error('an upgrade without an origin');
    const { request } = exchange.flow;
    if (request.bodyStatus === 'streamed' && !request.bodySent) {
      // RFC 9110 section 7.8: what is still to come of it would be taken for the new protocol.
      exchange.fail(
        'ORIGIN_PROTOCOL',
        'the origin switched protocols before the request had been sent to its end',
      );
      return;
    }
    this.#runHook('responseHeaders', origin, () => {
      response.streamDecided = true;
      response.bodyStatus = 'streamed';
      const { status, statusText, version } = head;
      client.informational(status, statusText, response.headers, version);
      this.headSent = true;
      response.headSent = true;
      // Until the tunnel stands, only a reset tells the client that it never will.
      this.#framing = 'close';
      const switched = switchProtocols(
        exchange,
        { client: client.detach(), origin: origin.detach() },
        response,
      );
      exchange.runHook('response', undefined, () => {
        this.ended = true;
        switched(() => this.#complete(response));
      });
    });
  }
}

const NOTHING = Buffer.alloc(0);
