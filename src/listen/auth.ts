/**
 * Who may use the port: the option `proxyAuth`.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { plainResponse } from '../exchange/failure.js';
import type { Headers } from '../flow/headers.js';
import type { ClientInfo } from '../flow/types.js';
import { reverseUrl } from '../options/mode.js';
import type { ResolvedOptions } from '../options/types.js';
import type { ListenServices } from './services.js';
import type { FixedTarget } from './target.js';

const REALM = 'Basic realm="sluice", charset="UTF-8"';
const COLON = 0x3a;

/** How credentials are asked for and given: to a proxy, and to what looks like an origin (RFC 9110 section 11). */
const AS_PROXY = { status: 407, asks: 'Proxy-Authenticate', gives: 'proxy-authorization' } as const;
const AS_ORIGIN = { status: 401, asks: 'WWW-Authenticate', gives: 'authorization' } as const;

/** Lets those in who know a user name and its password. */
export class Gate {
  readonly #user: Buffer;
  readonly #password: Buffer;
  readonly #role: typeof AS_PROXY | typeof AS_ORIGIN;

  /** @returns `undefined` where everybody may come in */
  static of({ proxyAuth, mode }: ResolvedOptions): Gate | undefined {
    if (proxyAuth === undefined) return undefined;
    return new Gate(proxyAuth, reverseUrl(mode) === undefined ? AS_PROXY : AS_ORIGIN);
  }

  private constructor(credentials: string, role: typeof AS_PROXY | typeof AS_ORIGIN) {
    const octets = Buffer.from(credentials);
    const colon = octets.indexOf(COLON);
    this.#user = digest(octets.subarray(0, colon));
    this.#password = digest(octets.subarray(colon + 1));
    this.#role = role;
  }

  /** Takes as long for wrong ones as for the right ones, whichever of the two is wrong. */
  admits(user: Buffer, password: Buffer): boolean {
    const knowsUser = timingSafeEqual(digest(user), this.#user);
    const knowsPassword = timingSafeEqual(digest(password), this.#password);
    return knowsUser && knowsPassword;
  }

  /** Takes the credentials out of a request, which goes on without them. Returns what is wrong with them, if something is. */
  check(headers: Headers): string | undefined {
    const { gives } = this.#role;
    const given = headers.get(gives);
    headers.delete(gives);
    if (given === undefined) return `there is no ${gives}`;
    const [, token] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(given) ?? [];
    if (token === undefined) return `${gives} is not one of the scheme Basic`;
    const octets = Buffer.from(token, 'base64');
    const colon = octets.indexOf(COLON);
    if (colon !== -1 && this.admits(octets.subarray(0, colon), octets.subarray(colon + 1))) return undefined;
    return `${gives} has another user name or password than the option proxyAuth`;
  }

  /** The answer to a request that may not pass. */
  challenge(problem: string): ReturnType<typeof plainResponse> {
    const { status, asks } = this.#role;
    const answer = plainResponse(status, `this proxy wants a user name and password: ${problem}`);
    answer.head.headers.set(asks, REALM);
    return answer;
  }
}

/**
 * The answer to a request whose client has yet to say who it is, or `undefined` if the request may pass. Its credentials
 * for this proxy are gone afterwards.
 */
export function challengeOf(
  services: ListenServices,
  client: ClientInfo,
  tunnel: FixedTarget | undefined,
  headers: Headers,
): ReturnType<typeof plainResponse> | undefined {
  const { gate } = services;
  // What comes by a tunnel was let in with it.
  if (gate === undefined || (tunnel !== undefined && tunnel.reverse === undefined)) return undefined;
  const problem = gate.check(headers);
  // A request that has come round to this proxy is refused for that.
  if (problem === undefined || services.isOwnConnection(client.port)) return undefined;
  services.clientError(client, new Error(`a request was not let through: ${problem}`));
  return gate.challenge(problem);
}

function digest(octets: Buffer): Buffer {
  return createHash('sha256').update(octets).digest();
}
