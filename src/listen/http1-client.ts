import { nextTick, setImmediate } from '../clock.js';
import type { ClientStream, OutgoingResponse } from '../exchange/client-stream.js';
import type { Exchange } from '../exchange/exchange.js';
import { plainResponse } from '../exchange/failure.js';
import { type Authority, formatAuthority } from '../flow/authority.js';
import type { Headers } from '../flow/headers.js';
import { ProtocolError, type RequestHead } from '../http1/head.js';
import { RequestParser } from '../http1/parser.js';
import { Http1Outlet, responseHead, writeWhole } from '../http1/writer.js';
import type { ConnectionPin, Detached, WholeBody, Written } from '../origin/stream.js';
import type { BodyOutlet } from '../stream/body.js';
import type { Idler } from '../tcp/idle-watch.js';
import { giveUpLater } from '../tcp/linger.js';
import type { RelayEnd } from '../tcp/relay.js';
import type { Transport } from '../tcp/transport.js';
import { challengeOf } from './auth.js';
import type { ClientRecord } from './client-info.js';
import { openExchange, startExchange } from './opening.js';
import type { ListenServices } from './services.js';
import { sniff } from './sniff.js';
import { type FixedTarget, locate, originOf, parseAuthority } from './target.js';

const EMPTY = Buffer.alloc(0);
/** Octets of a bad head that are looked at to tell what was asked for. */
const FIRST_LINE = 2000;

/** A client's HTTP/1 connection: one exchange after another. */
export class Http1Client implements ClientStream, Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  readonly #parser: RequestParser;
  #exchange: Exchange | undefined;
  #outlet: Http1Outlet | undefined;
  /** Octets that came while paused, or of the next message. */
  #rest: Buffer = EMPTY;
  /** What has come of a head that is not complete, as far as a record of its refusal shows it. */
  #begun: Buffer = EMPTY;
  /** No request has come yet. */
  #first = true;
  #paused = false;
  #stopped = false;
  /** This side is closed; what comes is read and dropped. */
  #lingering = false;
  #connectTo: Authority | undefined;
  /** A request that was answered with a challenge: what has yet to happen before the next one. */
  #challenged: { ended: boolean; written: boolean } | undefined;
  #detached = false;
  /** A body is under way whose end is the connection's: an orderly close would make it look complete. */
  #untilClose = false;
  readonly #pin: ConnectionPin = { pinned: undefined };
  version = '1.1';

  /**
   * @param tunnel the CONNECT authority, inside a tunnel, or the origin of reverse mode
   * @param onConnect takes over when the client asks for a tunnel
   * @param onHttp2 takes over when the client turns out to speak HTTP/2
   */
  constructor(
    private readonly transport: Transport,
    readonly info: ClientRecord,
    private readonly services: ListenServices,
    private readonly tunnel: FixedTarget | undefined,
    private readonly onConnect: (authority: Authority, detached: RelayEnd) => void,
    private readonly onHttp2?: (detached: RelayEnd) => void,
  ) {
    this.#parser = new RequestParser({
      head: (head) => this.#head(head),
      chunk: (size, line) => this.#exchange?.request.chunk(size, line),
      data: (bytes, start, end) => this.#exchange?.request.data(bytes, start, end),
      wire: (bytes, start, end) => this.#exchange?.request.wire(bytes, start, end),
      end: (lastLine, trailers) => {
        if (this.#challenged === undefined) this.#exchange?.request.end(lastLine, trailers);
        else this.#challengeOver({ ended: true });
      },
    });
    transport.attach({
      data: (bytes) => this.#data(bytes),
      end: () => this.#peerEnded(),
      close: (error) => this.#closed(error),
      drain: () => this.#outlet?.onDrain?.(),
    });
    this.#await();
  }

  /** Begins with octets that were read before. */
  begin(rest: Buffer): void {
    if (rest.length > 0) this.#data(rest);
    // What it says may have made it somebody else's.
    if (!this.#detached) this.transport.resume();
  }

  /** Ends the exchange in flight and the connection. */
  close(): void {
    this.#exchange?.fail('PROXY_CLOSED', 'the proxy was closed');
    this.#drop();
  }

  /** It has been idle for too long. */
  expire(): void {
    this.transport.destroy();
  }

  pause(): void {
    this.#paused = true;
    this.#parser.pause();
    this.transport.pause();
  }

  /** Goes on in the next tick, so that whoever resumes can finish what it is doing first. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    nextTick(() => this.#continue());
  }

  lend(): () => void {
    return this.transport.lend();
  }

  informational(status: number, statusText: string, headers: Headers, version = '1.1'): void {
    if (this.version === '1.0' && status !== 101) return;
    this.transport.write(responseHead(status, statusText, version, headers));
  }

  respond(head: OutgoingResponse): BodyOutlet {
    this.#untilClose = head.framing === 'close';
    this.transport.write(headText(head));
    this.#outlet = new Http1Outlet(this.transport, head.framing);
    return this.#outlet;
  }

  respondWhole(head: OutgoingResponse, body: WholeBody, written: Written): void {
    writeWhole(this.transport, headText(head), body, head.framing, written);
  }

  done(keepAlive: boolean): void {
    this.#untilClose = false;
    this.#exchange = undefined;
    this.#outlet = undefined;
    // The connection is somebody else's by now.
    if (this.#detached) return;
    if (!keepAlive || this.transport.closed) {
      this.#linger();
      return;
    }
    this.#parser.next();
    this.#await();
    if (this.#rest.length > 0 || this.#stopped || this.#paused) nextTick(() => this.#continue());
  }

  cut(how: 'short' | 'reset' | 'now'): void {
    this.#exchange = undefined;
    this.#outlet = undefined;
    if (how === 'now') {
      this.#drop();
    } else if (how === 'short') {
      this.#linger();
    } else {
      // What was received has to reach the client before the reset does.
      this.transport.resetWhenWritten();
    }
  }

  detach(): Detached {
    this.#detached = true;
    const rest = this.#rest;
    this.#rest = EMPTY;
    this.services.idleWatch.forget(this);
    return { transport: this.transport, rest };
  }

  #data(bytes: Buffer): void {
    if (this.#lingering) return;
    if (this.#paused || this.#rest.length > 0) this.#keep(bytes);
    else this.#feed(bytes);
  }

  /** Keeps octets for later. More than one read of them is not taken: the client is made to wait. */
  #keep(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    this.#stopped = true;
    this.transport.pause();
  }

  #feed(bytes: Buffer): void {
    let consumed: number;
    try {
      consumed = this.#parser.execute(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const whole = Buffer.concat([this.#begun, bytes]);
      if (this.#first && this.onHttp2 !== undefined && sniff(whole) === 'http2') this.#switchToHttp2(whole);
      else this.#refuse(error, whole.subarray(0, FIRST_LINE));
      return;
    }
    this.#begun = this.#parser.midHead ? this.#keptOf(bytes) : EMPTY;
    const rest = consumed < bytes.length ? Buffer.from(bytes.subarray(consumed)) : EMPTY;
    if (this.#connectTo !== undefined) {
      this.#rest = rest;
      const detached = this.detach();
      this.onConnect(this.#connectTo, { ...detached.transport.detach(), rest: detached.rest });
    } else if (!this.#detached && !this.#lingering && rest.length > 0) {
      this.#keep(rest);
    }
  }

  #switchToHttp2(rest: Buffer): void {
    const { transport } = this.detach();
    this.onHttp2?.({ ...transport.detach(), rest });
  }

  #keptOf(bytes: Buffer): Buffer {
    if (this.#begun.length >= FIRST_LINE) return this.#begun;
    return Buffer.concat([this.#begun, bytes.subarray(0, FIRST_LINE)]);
  }

  #continue(): void {
    if (this.#paused || this.#detached || this.#lingering) return;
    this.#parser.resume();
    const rest = this.#rest;
    this.#rest = EMPTY;
    this.#stopped = false;
    this.#feed(rest);
    if (!this.#paused && !this.#stopped && !this.#detached) this.transport.resume();
  }

  #head(head: RequestHead): void {
    this.services.idleWatch.stop(this);
    this.#first = false;
    this.version = head.version;
    if (head.method === 'CONNECT') {
      if (this.tunnel?.reverse) throw new ProtocolError('CONNECT, and this is a reverse proxy', 405);
      if (this.tunnel !== undefined) throw new ProtocolError('CONNECT inside a tunnel');
      const authority = parseAuthority(head.target);
      if (this.#leadsHere(authority) || this.#challenge(head)) return;
      this.#connectTo = authority;
      this.#parser.pause();
      return;
    }
    const where = locate(head, this.info, this.tunnel);
    if (where === undefined) {
      this.#answerForSelf(head);
      return;
    }
    if (this.#challenge(head)) return;
    this.#exchange = openExchange(this.services, this, head, where, this.#pin);
    startExchange(this.services, this.#exchange);
  }

  /** Refuses a tunnel to the proxy itself. */
  #leadsHere(authority: Authority): boolean {
    const target = formatAuthority(authority);
    if (!this.services.isSelf(target) && !this.services.isOwnConnection(this.info.port)) return false;
    const message = `CONNECT ${target}: that is this proxy itself`;
    this.services.refused(this.info, { code: 'PROXY_LOOP', message }, { method: 'CONNECT', target });
    this.#answerAndClose(508, message);
    return true;
  }

  /** Answers a request that lacks the credentials of `proxyAuth`, and reads on for one that has them. */
  #challenge(head: RequestHead): boolean {
    const answer = challengeOf(this.services, this.info, this.tunnel, head.headers);
    if (answer === undefined) return false;
    // Whether a body follows that was offered with Expect is up to the client (RFC 9110 section 10.1.1).
    const goesOn = head.keepAlive && !head.expectContinue;
    if (goesOn && head.version === '1.0') answer.head.headers.set('Connection', 'keep-alive');
    else if (goesOn) answer.head.headers.delete('Connection');
    if (goesOn) this.#challenged = { ended: false, written: false };
    this.respondWhole(answer.head, answer.body, () => this.#challengeOver({ written: true }));
    if (goesOn) this.#await();
    else this.#linger();
    return true;
  }

  #challengeOver(step: { ended?: boolean; written?: boolean }): void {
    if (this.#challenged === undefined) return;
    const { ended, written } = Object.assign(this.#challenged, step);
    if (!ended || !written) return;
    this.#challenged = undefined;
    this.done(true);
  }

  /** A request in origin form, outside of a tunnel, is for the proxy itself. */
  #answerForSelf(head: RequestHead): void {
    const host = head.headers.get('host');
    const message = `this is a Sluice proxy, not an origin: set it as your client's HTTP proxy (asked for ${head.target} at Host ${host ?? '(none)'})`;
    const self =
      (host !== undefined && this.services.isSelf(host)) || this.services.isOwnConnection(this.info.port);
    this.services.refused(this.info, { code: self ? 'PROXY_LOOP' : 'CLIENT_PROTOCOL', message }, head);
    this.#answerAndClose(self ? 508 : 400, message);
  }

  #refuse(error: ProtocolError, bytes: Buffer): void {
    const message = `the request is not valid HTTP: ${error.message}`;
    if (this.#exchange !== undefined) {
      this.#exchange.fail('CLIENT_PROTOCOL', message, undefined, error.status);
      return;
    }
    this.services.refused(this.info, { code: 'CLIENT_PROTOCOL', message }, firstLine(bytes, this.#origin));
    this.#answerAndClose(error.status, message);
  }

  /** What goes before a target in origin form; empty outside of a tunnel, where such a request is for nobody else. */
  get #origin(): string {
    return this.tunnel === undefined ? '' : originOf(this.tunnel, this.info);
  }

  #answerAndClose(status: number, message: string): void {
    const { head, body } = plainResponse(status, message);
    this.respondWhole(head, body, () => undefined);
    this.#linger();
  }

  /** Closes this side and reads on for a while, so that the client can read its response before a reset. */
  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.#rest = EMPTY;
    this.transport.end();
    this.transport.resume();
    this.#destroyLater();
  }

  #drop(): void {
    if (this.#untilClose) this.transport.reset();
    else this.transport.destroy();
  }

  #destroyLater(): void {
    if (this.transport.closed) return;
    giveUpLater(this.transport.socket, () => this.#drop());
  }

  #await(): void {
    this.services.idleWatch.start(this, this.services.options.timeouts.idle);
  }

  #peerEnded(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined) {
      const gone = () =>
        exchange.clientGone('the client closed its side of the connection before the exchange was over');
      // Of a write over TLS it is told a turn late that it is done: the client may have read it, and left, before.
      if (exchange.response.ended) setImmediate(() => this.#exchange === exchange && gone());
      else gone();
    } else if (this.#lingering) {
      this.transport.destroy();
    } else {
      this.transport.end();
    }
  }

  #closed(error: Error | undefined): void {
    this.services.idleWatch.forget(this);
    this.#pin.pinned?.cut();
    const detail = error === undefined ? '' : `: ${error.message}`;
    this.#exchange?.clientGone(`the client's connection was lost${detail}`, error);
  }
}

function headText({ status, statusText, version, headers }: OutgoingResponse): string {
  return responseHead(status, statusText, version, headers);
}

/** What can be told of a request whose head could not be read. */
function firstLine(bytes: Buffer, origin: string): { method: string; target: string } {
  const [method = '', target = ''] =
    bytes
      .toString('latin1', 0, FIRST_LINE)
      .replace(/^[\r\n]+/, '')
      .split(/[\r\n]/, 1)[0]
      ?.split(' ') ?? [];
  return {
    method: /^[A-Za-z]{1,20}$/.test(method) ? method : '(unreadable)',
    target: `${target.startsWith('/') ? origin : ''}${target.slice(0, 200)}`,
  };
}
