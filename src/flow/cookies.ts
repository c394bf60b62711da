/**
 * Cookies as fields have them (RFC 6265).
 * @module
 */
import type { HeaderList } from './types.js';

export interface CookiePair {
  /** Empty for a value without `=`. */
  name: string;
  value: string;
}

/** What a Set-Cookie field says (RFC 6265 section 5.2). */
export interface SetCookie extends CookiePair {
  path?: string;
  domain?: string;
  /** Milliseconds since the epoch, maybe more than a date can hold; absent where neither attribute can be read. */
  expires?: number;
  httpOnly: boolean;
  secure: boolean;
  sameSite?: string;
}

/** The cookies of the Cookie fields (RFC 6265 section 4.2). */
export function readCookies(headers: HeaderList): CookiePair[] {
  return headers
    .getAll('cookie')
    .flatMap((line) => line.split(';'))
    .filter((pair) => pair.trim() !== '')
    .map((pair) => split(pair));
}

/** @param now milliseconds since the epoch, from which Max-Age counts */
export function readSetCookie(line: string, now: number): SetCookie {
  const [pair = '', ...attributes] = line.split(';');
  const cookie: SetCookie = { ...split(pair), httpOnly: false, secure: false };
  let maxAge: number | undefined;
  for (const attribute of attributes) {
    const { name, value } = split(attribute, true);
    switch (name.toLowerCase()) {
      case 'path':
        cookie.path = value;
        break;
      case 'domain':
        cookie.domain = value;
        break;
      case 'expires': {
        const time = Date.parse(value);
        if (!Number.isNaN(time)) cookie.expires = time;
        break;
      }
      case 'max-age':
        if (/^-?\d+$/.test(value)) maxAge = Number(value);
        break;
      case 'httponly':
        cookie.httpOnly = true;
        break;
      case 'secure':
        cookie.secure = true;
        break;
      case 'samesite':
        cookie.sameSite = value;
        break;
      default:
    }
  }
  // Wins over Expires (RFC 6265 section 5.3).
  if (maxAge !== undefined) cookie.expires = now + maxAge * 1000;
  return cookie;
}

/** A pair without `=` is a value without a name, an attribute without one a name without a value. */
function split(pair: string, attribute = false): CookiePair {
  const at = pair.indexOf('=');
  if (at < 0) return attribute ? { name: pair.trim(), value: '' } : { name: '', value: pair.trim() };
  return { name: pair.slice(0, at).trim(), value: pair.slice(at + 1).trim() };
}
