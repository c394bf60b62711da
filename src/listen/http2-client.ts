import http2, { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { performance, setImmediate } from '../clock.js';
import { plainResponse } from '../exchange/failure.js';
import { ProtocolError, type RequestHead } from '../http1/head.js';
import { Pulse, watchFailure } from '../http2/failing-session.js';
import { type ReceivedFields, receivedFields } from '../http2/fields.js';
import { requestHead } from '../http2/heads.js';
import { CLIENT_LIMITS, checkSize, RESETS, widenWindow } from '../http2/limits.js';
import { nameOfCode } from '../http2/reset.js';
import type { Route } from '../origin/origins.js';
import type { Idler } from '../tcp/idle-watch.js';
import { giveUpLater } from '../tcp/linger.js';
import { challengeOf } from './auth.js';
import type { ClientRecord } from './client-info.js';
import { Http2ClientStream } from './http2-stream.js';
import { openExchange, startExchange } from './opening.js';
import type { ListenServices } from './services.js';
import { type FixedTarget, locate, originOf } from './target.js';

/** A client's HTTP/2 connection: an exchange for each of its streams. */
export class Http2Client implements Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<Http2ClientStream>();
  #blamed = false;
  /** Streams that the client may yet reset. */
  #resets: number = RESETS.burst;
  #resetAt = 0;
  /** The last stream that is accounted for. */
  #lastId = -1;

  /**
   * @param socket may hold octets that were unshifted
   * @param raw the TCP socket below it
   * @param tunnel the CONNECT authority, inside a tunnel, or the origin of reverse mode
   */
  constructor(
    private readonly socket: Socket,
    raw: Socket,
    private readonly info: ClientRecord,
    private readonly services: ListenServices,
    private readonly tunnel: FixedTarget | undefined,
  ) {
    const session = http2.performServerHandshake(socket, CLIENT_LIMITS);
    this.#session = session;
    watchFailure(session, (error) => this.#broken(`: ${error.message}`, error));
    new Pulse(session, raw, {
      came: () => this.#findRefused(),
      dead: () => {
        this.#broken();
        session.destroy();
      },
    });
    session.on('stream', (stream: ServerHttp2Stream, _headers: unknown, _flags: number, raw: string[]) =>
      this.#stream(stream, raw),
    );
    // A connection that is lost is told by its flows; of other failures it has been told by then.
    session.on('error', () => undefined);
    session.on('goaway', (code: number) => {
      if (code !== constants.NGHTTP2_NO_ERROR) this.#blame(`the client went away with ${nameOfCode(code)}`);
    });
    session.on('close', () => services.idleWatch.forget(this));
    // Half open it is no use to anybody, but to node:http2 it is well.
    socket.once('end', () => setImmediate(() => this.#lost()));
    widenWindow(session);
    this.#await();
  }

  /** Ends the exchanges in flight and the connection. */
  close(): void {
    for (const stream of [...this.#streams]) stream.fail('PROXY_CLOSED', 'the proxy was closed');
    this.#session.destroy();
  }

  expire(): void {
    this.#session.close();
    giveUpLater(this.socket, () => this.socket.destroy());
  }

  #await(): void {
    this.services.idleWatch.start(this, this.services.options.timeouts.idle);
  }

  #stream(stream: ServerHttp2Stream, raw: string[]): void {
    const client = new Http2ClientStream(stream, this.info);
    // What came before the connection was given up is told after it.
    if (this.#session.destroyed) return;
    this.services.idleWatch.stop(this);
    this.#findRefused((stream.id ?? 0) - 2);
    this.#lastId = stream.id ?? 0;
    this.#streams.add(client);
    stream.once('close', () => {
      this.#streams.delete(client);
      if (client.wasReset) this.#countReset();
      if (this.#streams.size === 0 && !this.#session.closed) this.#await();
    });
    const fields = receivedFields(raw);
    const { ':method': method = '', ':path': path = '' } = fields.pseudo;
    try {
      checkSize(raw, 'head');
      const head = requestHead(fields, { target: path, ended: stream.endAfterHeaders });
      const where = this.#locate(fields, head);
      const challenge = challengeOf(this.services, this.info, this.tunnel, head.headers);
      if (challenge !== undefined) {
        client.respondWhole(challenge.head, challenge.body, () => undefined);
        client.done();
        return;
      }
      const exchange = openExchange(this.services, client, head, where, { pinned: undefined });
      client.serve(exchange);
      startExchange(this.services, exchange);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(client, error, method, `${this.#origin(fields)}${path}`);
    }
  }

  /** @throws ProtocolError for a target that parsers could read differently */
  #locate(fields: ReceivedFields, head: RequestHead) {
    const { ':scheme': scheme = '' } = fields.pseudo;
    const { method, target } = head;
    if (method === 'CONNECT') throw new ProtocolError('CONNECT is not served over HTTP/2', 405);
    if (!/^https?$/i.test(scheme)) throw new ProtocolError(`:scheme ${JSON.stringify(scheme.slice(0, 100))}`);
    // RFC 9113 section 8.3.1: what would be an absolute form says another authority.
    if (!target.startsWith('/') && target !== '*') throw badPath(target);
    const absolute = `${this.#origin(fields)}${target === '*' ? '' : target}`;
    const where = locate(
      this.tunnel === undefined ? { ...head, target: absolute } : head,
      this.info,
      this.tunnel,
    );
    if (where === undefined || (target === '*' && method !== 'OPTIONS')) throw badPath(target);
    const route: Route = { ...where.route, http2: this.info.onlyHttp2 ? 'only' : true };
    return { ...where, route };
  }

  /** Outside of a tunnel the client names it, as a target in absolute form does in HTTP/1. */
  #origin({ pseudo, headers }: ReceivedFields): string {
    if (this.tunnel === undefined) return `${pseudo[':scheme'] ?? 'http'}://${headers.get('host') ?? ''}`;
    return originOf(this.tunnel, this.info);
  }

  #refuse(client: Http2ClientStream, error: ProtocolError, method: string, target: string): void {
    const message = `the request is not valid HTTP/2: ${error.message}`;
    this.services.refused(
      this.info,
      { code: 'CLIENT_PROTOCOL', message },
      { method, target, version: '2.0' },
    );
    const { head, body } = plainResponse(error.status, message);
    client.respondWhole(head, body, () => undefined);
    client.done();
  }

  /** A stream that is reset costs its client next to nothing, and an origin's work. */
  #countReset(): void {
    const now = performance.now();
    const refilled = ((now - this.#resetAt) / 1000) * RESETS.perSecond;
    this.#resets = Math.min(RESETS.burst, this.#resets + refilled) - 1;
    this.#resetAt = now;
    if (this.#resets < 0 && !this.#session.destroyed) {
      const flood = `the client reset more than ${RESETS.burst} streams, and ${RESETS.perSecond} a second`;
      this.#blame(flood);
      for (const stream of [...this.#streams]) stream.fail('CLIENT_PROTOCOL', flood);
      this.#session.destroy(new Error(flood), constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
  }

  /** The client broke the rules of the connection: it is being ended. */
  #broken(how = '', cause?: Error): void {
    const why = `the client sent what is not valid HTTP/2${how}`;
    this.#blame(why, cause);
    for (const stream of [...this.#streams]) stream.fail('CLIENT_PROTOCOL', why);
  }

  /**
   * Tells of streams that node:http2 refused without a word. Clients usually number theirs without gaps.
   * @param upTo the last stream that may be one
   */
  #findRefused(upTo = this.#session.state.lastProcStreamID ?? 0): void {
    const first = this.#lastId + 2;
    if (upTo < first) return;
    this.#lastId = upTo;
    const which = upTo === first ? `stream ${first} was` : `streams ${first} to ${upTo} were`;
    const why = `${which} refused: the head is not valid HTTP/2, or too many streams were open`;
    this.services.clientError(this.info, new Error(why));
  }

  #lost(): void {
    if (this.#session.destroyed) return;
    this.#findRefused();
    for (const stream of [...this.#streams]) stream.gone('the client closed the connection');
    this.#session.destroy();
  }

  #blame(why: string, cause?: Error): void {
    if (this.#blamed) return;
    this.#blamed = true;
    this.services.clientError(this.info, new Error(why, { cause }));
  }
}

function badPath(path: string): ProtocolError {
  return new ProtocolError(`bad :path ${JSON.stringify(path.slice(0, 100))}`);
}
