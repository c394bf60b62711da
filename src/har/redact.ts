/**
 * What keeps credentials out of files that leave the machine with a test report.
 * @module
 */
import { SluiceError, shown } from '../errors.js';
import type { HeaderList, HttpFlow } from '../flow/types.js';

/** What stands in a hidden value's place. */
const REDACTED = '[redacted]';

/** The fields whose values are hidden unless another list is given. */
const REDACTED_FIELDS: readonly string[] = ['authorization', 'cookie', 'set-cookie', 'proxy-authorization'];

/** Names of fields to hide, in any case, in place of {@link REDACTED_FIELDS}; `false` hides nothing. */
export type Redact = readonly string[] | false;

/** Shorter ones are words that stand in messages for other reasons. */
const SHORTEST_SECRET = 8;
/** So much of a secret gives it away, even where a message quotes only its beginning. */
const TELLING_PREFIX = 12;

/** Hides values of header fields, wherever a file would show them. */
export class Redactor {
  readonly #names: ReadonlySet<string>;

  /** @throws SluiceError BAD_OPTION if `redact` is neither a list of names nor `false` */
  constructor(redact: Redact = REDACTED_FIELDS) {
    if (redact !== false && !(Array.isArray(redact) && redact.every((name) => typeof name === 'string'))) {
      throw new SluiceError(
        'BAD_OPTION',
        `redact: ${shown(redact)} is not accepted; give an array of header names, or false to hide nothing`,
      );
    }
    this.#names = new Set(redact === false ? [] : redact.map((name) => name.toLowerCase()));
  }

  hides(name: string): boolean {
    return this.#names.has(name.toLowerCase());
  }

  /** A field's value as a file may show it. */
  value(name: string, value: string): string {
    if (this.hides(name)) return REDACTED;
    return /^(?:content-location|location|referer)$/i.test(name) ? this.url(value) : value;
  }

  /** All fields of a section, in their order. */
  fields(headers: HeaderList | undefined): [name: string, value: string][] {
    return headers === undefined ? [] : [...headers].map(([name, value]) => [name, this.value(name, value)]);
  }

  /** A URL; its user and password say what Authorization would, so they are hidden with it. */
  url(url: string): string {
    return this.hides('authorization')
      ? url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${REDACTED}@`)
      : url;
  }

  /** A sentence about a flow (an error's message, a warning) that may quote one of its hidden values. */
  sentence(flow: HttpFlow, text: string): string {
    if (this.#names.size === 0) return text;
    let result = text;
    for (const secret of this.#secrets(flow)) {
      if (!result.includes(secret.slice(0, TELLING_PREFIX))) continue;
      const pattern = secret.slice(0, TELLING_PREFIX).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      result = result.replace(new RegExp(`${pattern}[^\\s"';,]*`, 'g'), REDACTED);
    }
    return result;
  }

  *#secrets(flow: HttpFlow): Generator<string> {
    const { request, response } = flow;
    const sections = [request.headers, request.trailers, response?.headers, response?.trailers];
    for (const section of sections.concat(flow.informational.map((interim) => interim.headers))) {
      for (const [name, value] of section ?? []) {
        if (!this.hides(name)) continue;
        const telling = name.toLowerCase() === 'set-cookie' ? (value.split(';')[0] ?? '') : value;
        for (const word of telling.split(/[\s;,="]+/)) if (word.length >= SHORTEST_SECRET) yield word;
      }
    }
  }
}
