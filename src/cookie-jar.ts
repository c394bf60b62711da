import { isIP } from 'node:net';
import { endpointOf } from './flow/authority.js';
import { readSetCookie } from './flow/cookies.js';

/** RFC 6265 section 6.1 asks for as many at least. */
const MOST = 3000;
/** Octets of a cookie's name and value. Browsers take no longer ones either (RFC 6265 section 6.1 asks for as many). */
const LONGEST = 4096;

interface Stored {
  name: string;
  value: string;
  domain: string;
  /** Only for the very host that set it. */
  hostOnly: boolean;
  port: number;
  path: string;
  secure: boolean;
  /** Milliseconds since the epoch. */
  expires: number;
}

/** Cookies by domain, port and path (RFC 6265 section 5). Unlike a browser's jar it minds the port, as mitmproxy's does. */
export class CookieJar {
  readonly #cookies = new Map<string, Stored>();

  get empty(): boolean {
    return this.#cookies.size === 0;
  }

  /**
   * Takes what a Set-Cookie field says, or leaves it where its domain is not the host's.
   * @param url of the request that was answered with it
   * @param now milliseconds since the epoch
   */
  store(line: string, url: string, now: number): void {
    const { name, value, domain: given = '', path = '', secure, expires } = readSetCookie(line, now);
    const target = new URL(url);
    const { host, port } = endpointOf(target);
    const domain = given.replace(/^\./, '').toLowerCase();
    if (name === '' || name.length + value.length > LONGEST) return;
    if (domain !== '' && !domainMatches(host, domain)) return;
    const cookie: Stored = {
      name,
      value,
      domain: domain === '' ? host : domain,
      hostOnly: domain === '',
      port,
      path: path.startsWith('/') ? path : defaultPath(target.pathname),
      secure,
      expires: expires ?? Number.POSITIVE_INFINITY,
    };
    // The one character that is in none of them.
    const key = [cookie.domain, port, cookie.path, name].join(';');
    if (cookie.expires <= now) this.#cookies.delete(key);
    else this.#cookies.set(key, cookie);
    const [oldest] = this.#cookies.keys();
    if (this.#cookies.size > MOST && oldest !== undefined) this.#cookies.delete(oldest);
  }

  /** What a request is to have in its Cookie field, longer paths first; `undefined` for nothing. */
  cookiesFor(url: string, now: number): string | undefined {
    const target = new URL(url);
    const { tls, host, port } = endpointOf(target);
    const found: Stored[] = [];
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expires <= now) this.#cookies.delete(key);
      else if (
        cookie.port === port &&
        (cookie.hostOnly ? cookie.domain === host : domainMatches(host, cookie.domain)) &&
        pathMatches(target.pathname, cookie.path) &&
        (tls || !cookie.secure)
      ) {
        found.push(cookie);
      }
    }
    if (found.length === 0) return undefined;
    found.sort((a, b) => b.path.length - a.path.length);
    return found.map(({ name, value }) => `${name}=${value}`).join('; ');
  }
}

/** RFC 6265 section 5.1.3. */
function domainMatches(host: string, domain: string): boolean {
  return host === domain || (host.endsWith(`.${domain}`) && isIP(host) === 0);
}

/** RFC 6265 section 5.1.4. */
function pathMatches(path: string, cookie: string): boolean {
  return path === cookie || path.startsWith(cookie.endsWith('/') ? cookie : `${cookie}/`);
}

function defaultPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
