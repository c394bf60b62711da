import { readCookies, readSetCookie } from '../flow/cookies.js';
import type { HeaderList } from '../flow/types.js';
import type { Redactor } from './redact.js';
import type { HarCookie } from './types.js';

/** The cookies of a Cookie field. */
export function requestCookies(headers: HeaderList, redactor: Redactor): HarCookie[] {
  return readCookies(headers).map(({ name, value }) => ({ name, value: redactor.value('cookie', value) }));
}

/**
 * The cookies of the Set-Cookie fields.
 * @param now milliseconds since the epoch, from which Max-Age counts
 */
export function responseCookies(headers: HeaderList, redactor: Redactor, now: number): HarCookie[] {
  return headers.getAll('set-cookie').map((line) => {
    const { name, value, path, domain, expires, httpOnly, secure, sameSite } = readSetCookie(line, now);
    const time = isoTime(expires);
    return {
      name,
      value: redactor.value('set-cookie', value),
      ...(path !== undefined && { path }),
      ...(domain !== undefined && { domain }),
      ...(time !== undefined && { expires: time }),
      ...(httpOnly && { httpOnly }),
      ...(secure && { secure }),
      ...(sameSite !== undefined && { sameSite }),
    };
  });
}

/** `undefined` for a time that no date can hold. */
function isoTime(time: number | undefined): string | undefined {
  const date = new Date(time ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
