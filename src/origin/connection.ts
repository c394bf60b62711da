import { nextTick, queueMicrotask } from '../clock.js';
import type { Headers } from '../flow/headers.js';
import type { ServerInfo } from '../flow/types.js';
import { hasToken, ProtocolError, type ResponseHead } from '../http1/head.js';
import { ResponseParser } from '../http1/parser.js';
import { Http1Outlet, requestHead, writeWhole } from '../http1/writer.js';
import type { BodyOutlet } from '../stream/body.js';
import type { Idler, IdleWatch } from '../tcp/idle-watch.js';
import { Transport } from '../tcp/transport.js';
import type { Dialled } from './connect.js';
import type {
  ConnectionPin,
  Detached,
  OriginEvents,
  OriginStream,
  OutgoingRequest,
  WholeBody,
  Written,
} from './stream.js';

const EMPTY = Buffer.alloc(0);

export interface OriginConnectionSetup {
  /** Connections with the same key can stand in for each other. */
  key: string;
  tls: boolean;
  /** The chained proxy it goes through. */
  via?: string;
  /** Requests go to a chained proxy that reads their whole URL. */
  absoluteForm: { authority: string; extra: string } | undefined;
  /** Milliseconds. */
  idleTimeout: number;
  idleWatch: IdleWatch;
  /** The connection can serve another exchange. */
  onIdle(connection: OriginConnection): void;
}

/** An HTTP/1 connection to an origin, for one exchange after another. */
export class OriginConnection implements OriginStream, Idler {
  readonly key: string;
  idleUntil = Number.POSITIVE_INFINITY;
  info: ServerInfo;
  readonly #transport: Transport;
  readonly #parser: ResponseParser;
  #events: OriginEvents | undefined;
  #outlet: Http1Outlet | undefined;
  /** Octets that came while paused. */
  #rest: Buffer = EMPTY;
  #paused = false;
  /** The origin has closed its side; told when everything before it has been. */
  #ended = false;
  /** Whether that was an orderly end, where it matters. */
  #ending: 'asked' | 'orderly' | undefined;
  /** The connection is lost; told when everything before it has been. */
  #loss: { what: string; error: Error | undefined } | undefined;
  #interim = false;
  /** An Upgrade was asked for. */
  #mayUpgrade = false;
  /** The 101 that answered it; told when what follows it has been put aside. */
  #upgraded: ResponseHead | undefined;
  #answered = false;
  #detached = false;
  #served = 0;
  #pinned = false;
  #keepAliveMs: number;

  constructor(
    dialled: Dialled,
    private readonly setup: OriginConnectionSetup,
  ) {
    this.key = setup.key;
    this.#keepAliveMs = setup.idleTimeout;
    const { socket, raw, buffers } = dialled;
    const { remoteAddress: address = '', remotePort: port = 0 } = raw;
    const via = setup.via === undefined ? {} : { via: setup.via };
    this.info = { address, port, tls: setup.tls, reused: false, ...via };
    this.#transport = new Transport(socket, raw, buffers);
    this.#transport.hearLastWords();
    this.#parser = new ResponseParser({
      head: (head) => this.#head(head),
      chunk: (size, line) => this.#events?.chunk(size, line),
      data: (bytes, start, end) => this.#events?.data(bytes, start, end),
      wire: (bytes, start, end) => this.#events?.wire(bytes, start, end),
      end: (lastLine, trailers) => this.#end(lastLine, trailers),
    });
    this.#transport.attach({
      data: (bytes) => this.#data(bytes),
      end: () => this.#peerEnded(),
      close: (error) => {
        this.setup.idleWatch.forget(this);
        this.#lost('the origin closed the connection', error);
      },
      drain: () => this.#outlet?.onDrain?.(),
    });
    // A chained proxy's tunnel comes paused.
    this.#transport.resume();
  }

  get unanswered(): boolean {
    return !this.#answered;
  }

  /** Waiting for an exchange, and still there. */
  get idle(): boolean {
    return this.#events === undefined && !this.#transport.closed && !this.#ended;
  }

  /** Takes an idle connection into use. */
  take(): void {
    this.setup.idleWatch.stop(this);
    if (!this.info.reused && this.#served > 0) this.info = { ...this.info, reused: true };
  }

  attach(events: OriginEvents): void {
    this.#events = events;
    // It may have been lost between the decision to use it and now.
    if (this.#transport.closed || this.#ended)
      queueMicrotask(() => this.#lost('the origin closed the connection'));
  }

  send(head: OutgoingRequest): BodyOutlet {
    this.#prepare(head);
    this.#transport.write(this.#headText(head));
    this.#outlet = new Http1Outlet(this.#transport, head.framing);
    return this.#outlet;
  }

  sendWhole(head: OutgoingRequest, body: WholeBody, written: Written): void {
    this.#prepare(head);
    writeWhole(this.#transport, this.#headText(head), body, head.framing, written);
  }

  pause(): void {
    this.#paused = true;
    this.#parser.pause();
    this.#transport.pause();
  }

  /** Goes on in the next tick, so that whoever resumes can finish what it is doing first. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    nextTick(() => this.#continue());
  }

  lend(): () => void {
    return this.#transport.lend();
  }

  release(reusable: boolean): void {
    // The connection is somebody else's by now.
    if (this.#detached) return;
    this.#events = undefined;
    this.#outlet = undefined;
    const clean = this.#rest.length === 0 && this.#parser.idle && !this.#ended && !this.#paused;
    if (!reusable || !clean || this.#transport.closed || this.#keepAliveMs <= 0) {
      this.cut();
      return;
    }
    this.#served++;
    this.#parser.next();
    this.setup.idleWatch.start(this, Math.min(this.#keepAliveMs, this.setup.idleTimeout));
    if (!this.#pinned) this.setup.onIdle(this);
  }

  /** Offers a connection that has not served yet to whoever needs one. */
  keep(): void {
    this.setup.idleWatch.start(this, this.setup.idleTimeout);
    this.setup.onIdle(this);
  }

  /** It has been idle for too long. */
  expire(): void {
    this.cut();
  }

  pinTo(pin: ConnectionPin): void {
    this.#pinned = true;
    pin.pinned = this;
  }

  cut(how: 'now' | 'reset' = 'now'): void {
    this.setup.idleWatch.forget(this);
    this.#events = undefined;
    this.#outlet = undefined;
    if (how === 'reset') this.#transport.resetWhenWritten();
    else this.#transport.destroy();
  }

  detach(): Detached {
    this.setup.idleWatch.forget(this);
    this.#detached = true;
    this.#events = undefined;
    const rest = this.#rest;
    this.#rest = EMPTY;
    return { transport: this.#transport, rest };
  }

  #prepare({ method, headers }: OutgoingRequest): void {
    this.#parser.method = method;
    this.#answered = false;
    this.#mayUpgrade = headers.has('upgrade') && hasToken(headers.get('connection'), 'upgrade');
  }

  #headText(head: OutgoingRequest): string {
    const via = this.setup.absoluteForm;
    if (via === undefined) return requestHead(head.method, head.target, head.version, head.headers);
    const target = head.target === '*' ? `http://${via.authority}` : `http://${via.authority}${head.target}`;
    return requestHead(head.method, target, head.version, head.headers, via.extra);
  }

  #data(bytes: Buffer): void {
    if (this.#events === undefined) {
      // Nothing was asked: whatever this is, the next response would be read wrong.
      this.cut();
      return;
    }
    this.#answered = true;
    if (this.#paused || this.#rest.length > 0) this.#rest = Buffer.concat([this.#rest, bytes]);
    else this.#feed(bytes);
  }

  #feed(bytes: Buffer): void {
    let consumed: number;
    try {
      consumed = this.#parser.execute(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#events?.failed('ORIGIN_PROTOCOL', `the origin's response is not valid HTTP: ${error.message}`);
      return;
    }
    // The buffer is used again, so what is left is copied. What follows a response unasked spoils the connection.
    if (consumed < bytes.length) this.#rest = Buffer.from(bytes.subarray(consumed));
    const upgraded = this.#upgraded;
    this.#upgraded = undefined;
    if (upgraded !== undefined) this.#events?.head(upgraded);
  }

  #continue(): void {
    if (this.#paused) return;
    this.#parser.resume();
    const rest = this.#rest;
    this.#rest = EMPTY;
    this.#feed(rest);
    if (this.#paused) return;
    this.#transport.resume();
    if (this.#ended && this.#ending !== 'asked') this.#peerEnded();
    else if (this.#loss !== undefined) this.#lost(this.#loss.what, this.#loss.error);
  }

  #head(head: ResponseHead): void {
    if (head.status === 101) {
      if (!this.#mayUpgrade) throw new ProtocolError('101 Switching Protocols to a request without Upgrade');
      // What follows is not HTTP any more: it is left unread for whoever detaches the connection.
      this.#upgraded = head;
      this.#parser.pause();
    } else if (head.status === 407 && this.setup.absoluteForm !== undefined) {
      // The client never chose this proxy: it can neither log in there nor know what this is about.
      const refusal = `the upstream proxy ${this.setup.via} refused the request: ${head.status} ${head.statusText}`;
      this.#parser.pause();
      this.#events?.failed('UPSTREAM_PROXY', refusal);
    } else if (head.status < 200) {
      this.#interim = true;
      this.#events?.informational(head);
    } else {
      const timeout = /(?:^|,)\s*timeout\s*=\s*(\d+)/i.exec(head.headers.get('keep-alive') ?? '')?.[1];
      // A second less than the origin says, so that its close and the next request do not cross.
      this.#keepAliveMs = timeout === undefined ? this.setup.idleTimeout : (Number(timeout) - 1) * 1000;
      this.#events?.head(head);
    }
  }

  #end(lastLine: string | undefined, trailers: Headers | undefined): void {
    if (this.#interim) {
      this.#interim = false;
      this.#parser.next();
      return;
    }
    this.#events?.end(lastLine, trailers);
  }

  #peerEnded(): void {
    this.#ended = true;
    if (this.#paused || this.#rest.length > 0) return;
    if (this.#events === undefined) {
      this.cut();
      return;
    }
    // Nothing else says that such a body is whole.
    if (this.#parser.untilClose && this.#ending !== 'orderly') {
      if (this.#ending === undefined) this.#confirmEnd();
      return;
    }
    const whole = this.#parser.finish();
    if (!whole || !this.#parser.idle)
      this.#lost('the origin closed the connection in the middle of a message');
    else this.#lost('the origin closed the connection');
  }

  #confirmEnd(): void {
    this.#ending = 'asked';
    this.#transport.confirmEnd(() => {
      this.#ending = 'orderly';
      this.#peerEnded();
    });
  }

  #lost(what: string, error?: Error): void {
    const events = this.#events;
    if (events === undefined) return;
    if (this.#paused) {
      this.#loss = { what, error };
      return;
    }
    const detail = error === undefined ? '' : `: ${error.message}`;
    const where = this.#served === 0 ? '' : ' (it had served before)';
    events.failed('ORIGIN_CLOSED', `${what}${where}${detail}`, error);
  }
}
