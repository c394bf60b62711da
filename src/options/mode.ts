/**
 * What clients speak to the port: the options `mode` and `proxyAuth`.
 * @module
 */
import { SluiceError, shown } from '../errors.js';

/** `regular`: HTTP as to a proxy. `socks5`: SOCKS (RFC 1928). `reverse:URL`: HTTP as to the server at the URL. */
export type ProxyMode = 'regular' | 'socks5' | `reverse:${string}`;

/** What a mode may be, for messages. */
export const MODE_ACCEPTED =
  "'regular', 'socks5' or 'reverse:URL', with http or https and without a path, as in 'reverse:http://127.0.0.1:3000'";

const REVERSE = 'reverse:';

/**
 * Reads the option `mode`. Gives `undefined` for what is none.
 * @throws SluiceError BAD_OPTION for the URL of reverse mode, saying what is wrong with it
 */
export function readMode(value: unknown, name: string): ProxyMode | undefined {
  if (value === 'regular' || value === 'socks5') return value;
  if (typeof value !== 'string' || !value.startsWith(REVERSE)) return undefined;
  const refusal = (problem: string) => {
    // What may be a password is not shown.
    const given = shown(value.replace(/\/\/.*@/, '//...@'));
    return new SluiceError('BAD_OPTION', `${name}: ${given} ${problem}; give ${MODE_ACCEPTED}`);
  };
  const text = value.slice(REVERSE.length);
  if (!/^https?:\/\/[^/?#\\]/i.test(text) || !URL.canParse(text)) {
    throw refusal('has no URL that can be read and begins with http:// or https://');
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw refusal('has a user name or password in its URL');
  // mitmproxy refuses one too: what a client asks for is the path.
  if (url.pathname !== '/' || /[?#]/.test(text)) throw refusal('has a path, query or fragment in its URL');
  if (url.port === '0') throw refusal('has port 0 in its URL');
  return `${REVERSE}${url.origin}`;
}

/** The URL of reverse mode; `undefined` in the others. */
export function reverseUrl(mode: ProxyMode): URL | undefined {
  return mode.startsWith(REVERSE) ? new URL(mode.slice(REVERSE.length)) : undefined;
}

/** Whether a value is `user:password`. A user name has no colon, a password may (RFC 7617 section 2). */
export function isCredentials(value: unknown): value is string {
  return typeof value === 'string' && /^[^\x00-\x1f\x7f]*:[^\x00-\x1f\x7f]*$/.test(value);
}

/**
 * The address of an HTTP proxy for clients that learn all they need from one URL, with what `proxyAuth` wants of them.
 * @throws SluiceError BAD_OPTION in the modes in which it is no HTTP proxy
 */
export function addressFor(
  { mode, proxyAuth }: { mode: ProxyMode; proxyAuth: string | undefined },
  server: string,
): string {
  if (mode !== 'regular') {
    const why = "fetch and env send requests through an HTTP proxy; give mode 'regular'";
    throw new SluiceError('BAD_OPTION', `mode: ${shown(mode)} is spoken at ${server}; ${why}`);
  }
  if (proxyAuth === undefined) return server;
  const colon = proxyAuth.indexOf(':');
  const [user, password] = [proxyAuth.slice(0, colon), proxyAuth.slice(colon + 1)].map(encodeURIComponent);
  return server.replace('://', `://${user}:${password}@`);
}
