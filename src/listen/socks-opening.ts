import type { Socket } from 'node:net';
import { messageOf } from '../errors.js';
import { plainResponse } from '../exchange/failure.js';
import { type Authority, formatAuthority } from '../flow/authority.js';
import { responseHead } from '../http1/writer.js';
import { OriginFailure } from '../origin/failure.js';
import type { ReadyConnection } from '../origin/ready.js';
import type { Idler } from '../tcp/idle-watch.js';
import { giveUpLater } from '../tcp/linger.js';
import type { RelayEnd } from '../tcp/relay.js';
import type { ClientRecord } from './client-info.js';
import type { ListenServices } from './services.js';
import {
  credentialsAnswer,
  greetingAnswer,
  METHOD,
  REPLY,
  type Read,
  type Reply,
  readCredentials,
  readGreeting,
  readRequest,
  requestAnswer,
  SocksError,
} from './socks.js';

export interface SocksSetup {
  socket: Socket;
  client: ClientRecord;
  services: ListenServices;
  /** Takes over once the origin is connected. `answer` has to be sent first. */
  onTunnel(authority: Authority, detached: RelayEnd, answer: Buffer): void;
}

/**
 * The opening of a SOCKS5 connection: greeting, password where one is wanted, request. It succeeds once there is a
 * connection to the origin, which is kept ready for what comes.
 */
export class SocksOpening implements Idler {
  idleUntil = Number.POSITIVE_INFINITY;
  #seen = Buffer.alloc(0);
  /** Reads what is to come next, and says how far it got. */
  #step: () => number | undefined = () => this.#greeting();
  /** Something has come. */
  #begun = false;
  #over = false;

  constructor(private readonly setup: SocksSetup) {
    const { socket, services } = setup;
    socket.on('error', this.#onError).on('data', this.#onData).on('end', this.#onEnd);
    socket.once('close', () => this.#stop());
    services.idleWatch.start(this, services.options.timeouts.idle);
  }

  /** It takes too long. */
  expire(): void {
    if (this.#begun) this.#blame('the client stopped in the middle of the SOCKS handshake');
    this.setup.socket.destroy();
  }

  readonly #onData = (bytes: Buffer) => {
    this.#begun = true;
    this.#seen = Buffer.concat([this.#seen, bytes]);
    try {
      for (let end = this.#step(); end !== undefined && !this.#over; end = this.#step()) {
        this.#seen = this.#seen.subarray(end);
      }
    } catch (error) {
      if (!(error instanceof SocksError)) throw error;
      this.#refuse(error);
    }
  };

  readonly #onEnd = () => {
    if (this.#begun) this.#blame('the client closed the connection during the SOCKS handshake');
    this.setup.socket.end();
  };

  readonly #onError = (error: Error) => {
    if (!this.#over) this.#blame(messageOf(error));
  };

  #greeting(): number | undefined {
    const greeting = readGreeting(this.#seen);
    if (greeting === undefined) return undefined;
    const { gate } = this.setup.services;
    const wanted = gate === undefined ? METHOD.none : METHOD.password;
    if (!greeting.message.includes(wanted)) {
      const how = gate === undefined ? 'do without a password' : 'give a user name and password';
      throw new SocksError(`the client does not offer to ${how}`, greetingAnswer(METHOD.noneAcceptable));
    }
    this.setup.socket.write(greetingAnswer(wanted));
    this.#step = gate === undefined ? () => this.#request() : () => this.#credentials();
    return greeting.end;
  }

  #credentials(): number | undefined {
    const read = readCredentials(this.#seen);
    if (read === undefined) return undefined;
    const { user, password } = read.message;
    if (this.setup.services.gate?.admits(user, password) === false) {
      throw new SocksError(
        'the client has another user name or password than the option proxyAuth',
        credentialsAnswer(false),
      );
    }
    this.setup.socket.write(credentialsAnswer(true));
    this.#step = () => this.#request();
    return read.end;
  }

  #request(): number | undefined {
    const read = readRequest(this.#seen);
    if (read !== undefined) this.#connect(read);
    return undefined;
  }

  #connect({ message: authority, end }: Read<Authority>): void {
    const { socket, services, client } = this.setup;
    const rest = this.#seen.subarray(end);
    this.#stop();
    // What comes now is for the tunnel, its end included.
    socket.pause();
    socket.off('data', this.#onData).off('end', this.#onEnd);
    let ready: ReadyConnection | undefined;
    socket.once('close', () => ready?.close());
    const target = formatAuthority(authority);
    const connecting = services.isOwnConnection(client.port)
      ? Promise.reject(new OriginFailure('PROXY_LOOP', `${target} was asked for by this proxy itself`))
      : services.prepare(authority);
    connecting.then(
      (connection) => {
        ready = connection;
        if (socket.destroyed) ready.close();
        else this.setup.onTunnel(authority, { socket, rest }, requestAnswer(REPLY.succeeded));
      },
      (error: unknown) => {
        // The client has gone, or the proxy is being closed.
        if (socket.destroyed) return;
        const code = error instanceof OriginFailure ? error.code : 'INTERNAL';
        const cause = error instanceof OriginFailure ? error.cause : error;
        const why = { code, message: messageOf(error), ...(cause === undefined ? {} : { cause }) };
        services.refused(client, why, { method: 'CONNECT', target });
        this.#close(requestAnswer(replyTo(error)));
      },
    );
  }

  #refuse(error: SocksError): void {
    this.#blame(error.message);
    this.#stop();
    const [first = 0] = this.#seen;
    const isHttp = error.answer.length === 0 && /[A-Z]/.test(String.fromCharCode(first));
    this.#close(isHttp ? httpAnswer(error.message) : error.answer);
  }

  /** Says `last` and closes. What the client still sends is read for a while: unread, it would make that a reset. */
  #close(last: Buffer): void {
    const { socket } = this.setup;
    socket.off('data', this.#onData).off('end', this.#onEnd);
    socket.end(last);
    socket.resume();
    if (socket.destroyed) return;
    giveUpLater(socket, () => socket.destroy());
  }

  #stop(): void {
    this.#over = true;
    this.setup.services.idleWatch.forget(this);
  }

  #blame(why: string): void {
    this.setup.services.clientError(this.setup.client, new Error(why));
  }
}

/** Somebody who took the port for an HTTP proxy's is told in HTTP. */
function httpAnswer(why: string): Buffer {
  const { head, body } = plainResponse(400, why);
  const text = responseHead(head.status, head.statusText, head.version, head.headers);
  return Buffer.concat([Buffer.from(text, 'latin1'), body.bytes]);
}

function replyTo(error: unknown): Reply {
  if (!(error instanceof OriginFailure)) return REPLY.failed;
  if (error.code === 'ORIGIN_TIMEOUT') return REPLY.expired;
  if (error.code === 'PROXY_LOOP') return REPLY.notAllowed;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  switch (code) {
    case 'ECONNREFUSED':
      return REPLY.refused;
    case 'ENETUNREACH':
      return REPLY.networkUnreachable;
    case 'EHOSTUNREACH':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
    case 'EAI_NODATA':
      return REPLY.hostUnreachable;
    case 'ETIMEDOUT':
      return REPLY.expired;
    default:
      return REPLY.failed;
  }
}
