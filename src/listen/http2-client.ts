import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { plainResponse } from '../exchange/failure.js';
import { ProtocolError } from '../http1/head.js';
import { receivedFields } from '../http2/fields.js';
import { requestHead } from '../http2/heads.js';
import { SESSION_LIMITS, widenWindow } from '../http2/limits.js';
import { nameOfCode } from '../http2/reset.js';
import type { Idler } from '../tcp/idle-watch.js';
import type { ClientRecord } from './client-info.js';
import { Http2ClientStream } from './http2-stream.js';
import { openExchange, startExchange } from './opening.js';
import type { ListenServices } from './services.js';
import { type Authority, formatAuthority, locate } from './target.js';

/** A client's HTTP/2 connection: an exchange for each of its streams. */
export class Http2Client implements Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<Http2ClientStream>();

  /** @param tunnel the CONNECT authority, inside a tunnel. The socket may hold octets that were unshifted. */
  constructor(
    socket: Socket,
    private readonly info: ClientRecord,
    private readonly services: ListenServices,
    private readonly tunnel: Authority | undefined,
  ) {
    const session = http2.performServerHandshake(socket, SESSION_LIMITS);
    this.#session = session;
    session.on('stream', (stream: ServerHttp2Stream, _headers: unknown, _flags: number, raw: string[]) =>
      this.#stream(stream, raw),
    );
    session.on('error', (error) => services.clientError(info, error));
    session.on('goaway', (code: number) => {
      if (code !== 0) services.clientError(info, new Error(`the client went away with ${nameOfCode(code)}`));
    });
    session.on('close', () => services.idleWatch.forget(this));
    widenWindow(session);
    this.#await();
  }

  /** Ends the exchanges in flight and the connection. */
  close(): void {
    for (const stream of [...this.#streams]) stream.proxyClosed();
    this.#session.destroy();
  }

  expire(): void {
    this.#session.close();
  }

  #await(): void {
    this.services.idleWatch.start(this, this.services.options.timeouts.idle);
  }

  #stream(stream: ServerHttp2Stream, raw: string[]): void {
    this.services.idleWatch.stop(this);
    const client = new Http2ClientStream(stream, this.info);
    this.#streams.add(client);
    stream.once('close', () => {
      this.#streams.delete(client);
      if (this.#streams.size === 0 && !this.#session.closed) this.#await();
    });
    const fields = receivedFields(raw);
    const { ':method': method = '', ':path': path = '' } = fields.pseudo;
    const target = `${this.tunnel === undefined ? `http://${fields.headers.get('host') ?? ''}` : ''}${path}`;
    try {
      const head = requestHead(fields, { target, ended: stream.endAfterHeaders });
      if (method === 'CONNECT') throw new ProtocolError('CONNECT is not served over HTTP/2', 405);
      const where = locate(head, this.info, this.tunnel);
      if (where === undefined) throw new ProtocolError(`bad target ${path.slice(0, 100)}`);
      const exchange = openExchange(this.services, client, head, {
        ...where,
        route: { ...where.route, http2: true },
        pin: { pinned: undefined },
      });
      client.serve(exchange);
      startExchange(this.services, exchange);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#refuse(client, error, method, this.tunnel === undefined ? target : `${this.#origin}${path}`);
    }
  }

  get #origin(): string {
    if (this.tunnel === undefined) return '';
    const scheme = this.info.tls ? 'https' : 'http';
    return `${scheme}://${formatAuthority(this.tunnel, this.info.tls ? 443 : 80)}`;
  }

  #refuse(client: Http2ClientStream, error: ProtocolError, method: string, target: string): void {
    const message = `the request is not valid HTTP/2: ${error.message}`;
    this.services.refused(this.info, { code: 'CLIENT_PROTOCOL', message }, { method, target });
    const { head, body } = plainResponse(error.status, message);
    client.respondWhole(head, body, () => undefined);
    client.done();
  }
}
