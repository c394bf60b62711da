import type { HeaderList } from '../flow/types.js';
import type { Redactor } from './redact.js';
import type { HarCookie } from './types.js';

/** The cookies of a Cookie field (RFC 6265 section 4.2). */
export function requestCookies(headers: HeaderList, redactor: Redactor): HarCookie[] {
  return headers
    .getAll('cookie')
    .flatMap((line) => line.split(';'))
    .filter((pair) => pair.trim() !== '')
    .map((pair) => {
      const { name, value } = split(pair);
      return { name, value: redactor.value('cookie', value) };
    });
}

/**
 * The cookies of the Set-Cookie fields (RFC 6265 section 5.2).
 * @param now milliseconds since the epoch, from which Max-Age counts
 */
export function responseCookies(headers: HeaderList, redactor: Redactor, now: number): HarCookie[] {
  return headers.getAll('set-cookie').map((line) => {
    const [pair = '', ...attributes] = line.split(';');
    const { name, value } = split(pair);
    const cookie: HarCookie = { name, value: redactor.value('set-cookie', value) };
    for (const attribute of attributes) apply(cookie, attribute, now);
    return cookie;
  });
}

function apply(cookie: HarCookie, attribute: string, now: number): void {
  const { name, value } = split(attribute, true);
  switch (name.toLowerCase()) {
    case 'path':
      cookie.path = value;
      break;
    case 'domain':
      cookie.domain = value;
      break;
    case 'expires':
      cookie.expires ??= isoTime(Date.parse(value));
      break;
    case 'max-age':
      // Wins over Expires (RFC 6265 section 5.3).
      if (/^-?\d+$/.test(value)) cookie.expires = isoTime(now + Number(value) * 1000) ?? cookie.expires;
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

/** A pair without `=` is a value without a name, an attribute without one a name without a value. */
function split(pair: string, attribute = false): { name: string; value: string } {
  const at = pair.indexOf('=');
  if (at < 0) return attribute ? { name: pair.trim(), value: '' } : { name: '', value: pair.trim() };
  return { name: pair.slice(0, at).trim(), value: pair.slice(at + 1).trim() };
}

/** `undefined` for a time that no date can hold. */
function isoTime(time: number): string | undefined {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
