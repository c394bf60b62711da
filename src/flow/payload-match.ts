/**
 * What the payload of a WebSocket message, or of a server-sent event, is compared with.
 * @module
 */
import { types } from 'node:util';
import { SluiceError, shown } from '../errors.js';
import type { PayloadMatch } from './payload-types.js';
import { type AsymmetricMatcher, found, isAsymmetricMatcher, matchesSubset } from './subset.js';

/** What is compared. */
export interface Payload {
  readonly type: 'text' | 'binary';
  readonly data: Buffer;
  /** Octets of the whole, also of a truncated one. */
  readonly size: number;
  /** `data` is only its beginning. */
  readonly truncated: boolean;
  text(): string;
}

export interface Comparison<T> {
  /** @throws whatever the caller's function or matcher throws, SluiceError BAD_MATCH if it gives a promise */
  test(carrier: T): boolean;
  /** Asked of truncated payloads only: whether what was not stored might make it match. */
  mightMatch(carrier: T): boolean;
}

const ACCEPTED = 'a string, RegExp, Buffer, function, or what is part of the JSON';

/**
 * @param what who asks, for messages
 * @throws SluiceError BAD_MATCH for `undefined` and other things that no payload can be
 */
export function comparePayload<T>(
  match: PayloadMatch<T>,
  what: string,
  payloadOf: (carrier: T) => Payload,
): Comparison<T> {
  if (typeof match === 'function') return asking(match as (carrier: T) => unknown, what);
  const { test, mightMatch } = compare(match, what);
  return {
    test: (carrier) => test(payloadOf(carrier)),
    mightMatch: (carrier) => mightMatch(payloadOf(carrier)),
  };
}

function compare(match: unknown, what: string): Comparison<Payload> {
  if (typeof match === 'string') return exactly(Buffer.from(match), 'text');
  if (types.isUint8Array(match)) return exactly(match);
  if (types.isRegExp(match)) {
    return {
      test: (payload) => payload.type === 'text' && found(match, payload.text()),
      mightMatch: (payload) => payload.type === 'text',
    };
  }
  if (isAsymmetricMatcher(match)) {
    return { test: (payload) => holdsFor(match, payload), mightMatch: () => true };
  }
  const refused = reasonAgainst(match);
  if (refused !== undefined) throw new SluiceError('BAD_MATCH', `${what}: ${refused}; give ${ACCEPTED}`);
  return {
    test: (payload) => {
      const json = jsonOf(payload);
      return json !== undefined && matchesSubset(json.value, match);
    },
    mightMatch: (payload) => payload.type === 'text' && mayBegin(payload, match),
  };
}

function exactly(wanted: Uint8Array, type?: 'text'): Comparison<Payload> {
  // By their sizes first: most payloads need not be unmasked for it. Of a truncated one it is that of the whole.
  const fits = (payload: Payload) =>
    payload.size === wanted.length && (type === undefined || payload.type === type);
  return {
    test: (payload) => fits(payload) && payload.data.equals(wanted),
    mightMatch: (payload) => fits(payload) && payload.data.equals(wanted.subarray(0, payload.data.length)),
  };
}

function asking<T>(predicate: (carrier: T) => unknown, what: string): Comparison<T> {
  return {
    test: (carrier) => {
      const answer = predicate(carrier);
      // A promise is never false: everything would match.
      if (types.isPromise(answer)) {
        // That it was given at all is the error; what it rejects with would end the process.
        answer.catch(() => undefined);
        throw new SluiceError(
          'BAD_MATCH',
          `${what}: the function gave a promise; give one that is not asynchronous`,
        );
      }
      return Boolean(answer);
    },
    mightMatch: () => true,
  };
}

/** A text is judged as it is and as the JSON that it may be; bytes as a Buffer. */
function holdsFor(matcher: AsymmetricMatcher, payload: Payload): boolean {
  const holds = (value: unknown) => Boolean(matcher.asymmetricMatch(value));
  if (payload.type === 'binary') return holds(payload.data);
  const { inverse, sample } = matcher as { inverse?: unknown; sample?: unknown };
  if (inverse !== true && holds(payload.text())) return true;
  // `expect.not.stringContaining(…)` holds for whatever is no string: it is asked about the one that it means.
  if (inverse === true && (typeof sample === 'string' || types.isRegExp(sample)))
    return holds(payload.text());
  const json = jsonOf(payload);
  return json === undefined ? inverse === true && holds(payload.text()) : holds(json.value);
}

/** Why no payload can be this. */
function reasonAgainst(match: unknown): string | undefined {
  switch (typeof match) {
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(match) ? undefined : `no JSON holds ${match}`;
    case 'object': {
      if (match === null || Array.isArray(match)) return undefined;
      const kind = Object.prototype.toString.call(match).slice(8, -1);
      if (kind === 'Object') return undefined;
      if (kind === 'Promise') return 'a promise is not accepted; await it first';
      if (/^ArrayBuffer|Array$|^DataView$/.test(kind)) return `bytes in a ${kind} are not accepted`;
      return `no JSON holds a ${kind}`;
    }
    default:
      return `${shown(match)} is not accepted`;
  }
}

/** Whether the stored beginning can be that of such JSON. */
function mayBegin(payload: Payload, match: unknown): boolean {
  if (typeof match !== 'object' || match === null) return true;
  const start = payload.text().trimStart();
  return start === '' || start.startsWith(Array.isArray(match) ? '[' : '{');
}

/** The value of a text that is JSON. Of a truncated one nothing is known: `12` may have been `123`. */
function jsonOf(payload: Payload): { value: unknown } | undefined {
  if (payload.type !== 'text' || payload.truncated) return undefined;
  try {
    return { value: JSON.parse(payload.text()) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
