/**
 * What a WebSocket message is compared with, for `waitForMessage` and `toHaveMessage`.
 * @module
 */
import { types } from 'node:util';
import { SluiceError, shown } from '../errors.js';
import { describeValue } from './describe.js';
import { type AsymmetricMatcher, found, isAsymmetricMatcher, matchesSubset } from './subset.js';
import type { WebSocketMessage, WebSocketMessageMatch, WebSocketPeer } from './types.js';

/** A match of messages, ready to be asked. */
export interface MessageGoal {
  /** As it was typed, and the end it has to come from. */
  readonly describe: string;
  /** As it was typed. */
  readonly payload: string;
  /** @throws whatever the caller's function or matcher throws, SluiceError BAD_MATCH if it gives a promise */
  test(message: WebSocketMessage): boolean;
  /** Of a message that failed: whether what was not stored of it, as it is truncated, might have made it match. */
  mightMatch(message: WebSocketMessage): boolean;
}

interface Comparison {
  test(message: WebSocketMessage): boolean;
  /** Asked of truncated messages only. */
  mightMatch(message: WebSocketMessage): boolean;
}

const ACCEPTED = 'a string, RegExp, Buffer, function, or what is part of the JSON';

/**
 * @param what who asks, for messages
 * @throws SluiceError BAD_MATCH for `undefined` and other things that no message can be, or another `from`
 */
export function compileMessageMatch(
  match: WebSocketMessageMatch,
  what: string,
  from?: WebSocketPeer,
): MessageGoal {
  if (from !== undefined && from !== 'client' && from !== 'server') {
    throw new SluiceError(
      'BAD_MATCH',
      `${what}: from ${shown(from)} is not accepted; give 'client' or 'server'`,
    );
  }
  const comparison = compare(match, what);
  const isFrom = (message: WebSocketMessage) => from === undefined || message.from === from;
  const payload = describeValue(match);
  return {
    describe: from === undefined ? payload : `${payload} from the ${from}`,
    payload,
    test: (message) => isFrom(message) && comparison.test(message),
    mightMatch: (message) => message.truncated && isFrom(message) && comparison.mightMatch(message),
  };
}

/** Whether the hooks of a message are not through with it: it may still change. */
export function isHeld(message: WebSocketMessage): boolean {
  return 'final' in message && message.final === undefined;
}

function compare(match: WebSocketMessageMatch, what: string): Comparison {
  if (typeof match === 'string') return exactly(Buffer.from(match), 'text');
  if (types.isUint8Array(match)) return exactly(match);
  if (types.isRegExp(match)) {
    return {
      test: (message) => message.type === 'text' && found(match, message.text()),
      mightMatch: (message) => message.type === 'text',
    };
  }
  if (typeof match === 'function') return asking(match as (message: WebSocketMessage) => unknown, what);
  if (isAsymmetricMatcher(match)) {
    return { test: (message) => holdsFor(match, message), mightMatch: () => true };
  }
  const refused = reasonAgainst(match);
  if (refused !== undefined) throw new SluiceError('BAD_MATCH', `${what}: ${refused}; give ${ACCEPTED}`);
  return {
    test: (message) => {
      const json = jsonOf(message);
      return json !== undefined && matchesSubset(json.value, match);
    },
    mightMatch: (message) => message.type === 'text' && mayBegin(message, match),
  };
}

function exactly(wanted: Uint8Array, type?: 'text'): Comparison {
  // By their sizes first: most messages need not be unmasked for it. Of a truncated one it is that of the whole.
  const fits = (message: WebSocketMessage) =>
    message.size === wanted.length && (type === undefined || message.type === type);
  return {
    test: (message) => fits(message) && message.data.equals(wanted),
    mightMatch: (message) => fits(message) && message.data.equals(wanted.subarray(0, message.data.length)),
  };
}

function asking(predicate: (message: WebSocketMessage) => unknown, what: string): Comparison {
  return {
    test: (message) => {
      const answer = predicate(message);
      // A promise is never false: every message would match.
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
function holdsFor(matcher: AsymmetricMatcher, message: WebSocketMessage): boolean {
  const holds = (value: unknown) => Boolean(matcher.asymmetricMatch(value));
  if (message.type === 'binary') return holds(message.data);
  const { inverse, sample } = matcher as { inverse?: unknown; sample?: unknown };
  if (inverse !== true && holds(message.text())) return true;
  // `expect.not.stringContaining(…)` holds for whatever is no string: it is asked about the one that it means.
  if (inverse === true && (typeof sample === 'string' || types.isRegExp(sample)))
    return holds(message.text());
  const json = jsonOf(message);
  return json === undefined ? inverse === true && holds(message.text()) : holds(json.value);
}

/** Why no message can be this. */
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
function mayBegin(message: WebSocketMessage, match: unknown): boolean {
  if (typeof match !== 'object' || match === null) return true;
  const start = message.text().trimStart();
  return start === '' || start.startsWith(Array.isArray(match) ? '[' : '{');
}

/** The value of a text message that is JSON. Of a truncated one nothing is known: `12` may have been `123`. */
function jsonOf(message: WebSocketMessage): { value: unknown } | undefined {
  if (message.type !== 'text' || message.truncated) return undefined;
  try {
    return { value: JSON.parse(message.text()) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
