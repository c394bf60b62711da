import { isIP } from 'node:net';
import { endpointOf } from '../flow/authority.js';
import { readSetCookie } from '../flow/cookies.js';

/** RFC 6265 section 6.1 asks for as many at least. */
const MOST = 3000;
/** Of a domain and port: as many as browsers keep of a domain. RFC 6265 section 6.1 asks for 50 at least. */
const MOST_OF_DOMAIN = 180;
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
  /** When it was set or sent last, as the jar counts. */
  used: number;
}

/** Cookies by domain, port and path (RFC 6265 section 5). Unlike a browser's jar it minds the port, as mitmproxy's does. */
export class CookieJar {
  /** In the order in which they were set first. */
  readonly #cookies = new Map<string, Stored>();
  #uses = 0;

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
      used: ++this.#uses,
    };
    // The one character that is in none of them.
    const key = [cookie.domain, port, cookie.path, name].join(';');
    if (cookie.expires <= now) {
      this.#cookies.delete(key);
      return;
    }
    const isNew = !this.#cookies.has(key);
    this.#cookies.set(key, cookie);
    if (isNew) this.#evict(cookie, now);
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
        cookie.used = ++this.#uses;
        found.push(cookie);
      }
    }
    if (found.length === 0) return undefined;
    found.sort((a, b) => b.path.length - a.path.length);
    return found.map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  /** Makes room for one that was added: what has expired goes, else the longest unused (RFC 6265 section 5.3). */
  #evict({ domain, port }: Stored, now: number): void {
    const all: [key: string, cookie: Stored][] = [];
    for (const entry of this.#cookies) {
      if (entry[1].expires <= now) this.#cookies.delete(entry[0]);
      else all.push(entry);
    }
    const beside = all.filter(([, other]) => other.domain === domain && other.port === port);
    const crowded = beside.length > MOST_OF_DOMAIN ? beside : all.length > MOST ? all : [];
    const [oldest] = crowded.sort(([, a], [, b]) => a.used - b.used);
    if (oldest !== undefined) this.#cookies.delete(oldest[0]);
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
