/**
 * Flow queries: objects whose keys say what a flow has to be.
 * @module
 */
import { type FlowErrorCode, messageOf, SluiceError, shown } from '../errors.js';
import { nearest } from '../nearest.js';
import type { Size } from '../size.js';
import { describeValue } from './describe.js';
import { QUERY_KEYS } from './query-keys.js';
import type { HttpFlow, HttpRequest, HttpResponse } from './types.js';

/** Selects flows: every key that is given has to hold. */
export interface FlowQuery {
  /** A glob as in `page.route`, resolved against `baseURL`; or a RegExp that is looked for in the URL. */
  url?: string | RegExp;
  /** In either case. A match without it skips CORS preflights. */
  method?: string;
  /** A glob of the host name, or of `host:port` if it has a port: `*.cdn.test`, `app.test:8443`. */
  host?: string;
  /** A glob of the path, or of path and query if it has a `?`: `/api/*`, `/search?q=*`. */
  path?: string;
  /** Of the response. */
  status?: number;
  /** The media type without parameters, in either case; a trailing `*` matches any rest: `image/*`. */
  contentType?: string;
  /** The body is strictly larger than this: by Content-Length, or by what has been received of it. */
  largerThan?: Size;
  /** Each field is there with this value, be it one line of several, or with a value in which the RegExp is found. */
  headers?: Record<string, string | RegExp>;
  /** Contained in the request's body if that is JSON, else in the response's; asymmetric matchers are allowed. */
  json?: unknown;
  /** Whether the flow failed, or the code that it failed with. */
  error?: boolean | FlowErrorCode;
  /** A filter expression as mitmproxy has them: `~m POST & ~u upload`. */
  filter?: string;
}

export interface QueryContext {
  baseURL?: string;
  /** Only what heads show is looked at. */
  atHead: boolean;
}

/** What a condition looks at. */
export interface Subject {
  flow: HttpFlow;
  /** What `contentType`, `largerThan` and `headers` are about. */
  message: HttpRequest | HttpResponse | undefined;
  /** What `status` is about. */
  response: HttpResponse | undefined;
}

/** A key of a query, compiled. */
export interface Condition {
  readonly key: string;
  /** Its share in how near a flow comes. */
  readonly weight: number;
  /** It asks for a method. */
  readonly namesMethod: boolean;
  test(subject: Subject): boolean;
  /** Of a subject that failed: why. */
  reason(subject: Subject): string;
  /** Of a subject that failed: how near it came, 0 to 1. */
  near(subject: Subject): number;
}

/** The keys that a match of whole flows takes. */
export const FLOW_KEYS = Object.keys(QUERY_KEYS) as (keyof FlowQuery)[];
/** The keys that a match at the head takes. */
export const STREAM_KEYS = FLOW_KEYS.filter((key) => !['json', 'error', 'filter'].includes(key));

/**
 * Compiles the keys of a query, cheapest test first.
 * @throws SluiceError BAD_MATCH for an unknown key, a value that is not accepted, or no key at all
 */
export function compileQuery(
  query: Record<string, unknown>,
  keys: readonly (keyof FlowQuery)[],
  context: QueryContext,
): Condition[] {
  const accepted = `accepted keys are ${keys.join(', ')}`;
  const given = Object.keys(query).filter((key) => query[key] !== undefined);
  for (const key of given) {
    if ((keys as string[]).includes(key)) continue;
    const near = nearest(key, keys);
    const why = Object.hasOwn(QUERY_KEYS, key)
      ? `${key} cannot be known at the head, where this match is decided`
      : `unknown key ${shown(key)}, given ${describeValue(query[key])}${near === undefined ? '' : `; did you mean ${near}?`}`;
    throw new SluiceError('BAD_MATCH', `match: ${why}; ${accepted}`);
  }
  if (given.length === 0) {
    throw new SluiceError(
      'BAD_MATCH',
      `match: an object without keys would match every flow; give '**' for that; ${accepted}`,
    );
  }
  return FLOW_KEYS.filter((key) => given.includes(key)).map((key) =>
    compileKey(key, query[key], context, accepted),
  );
}

function compileKey(key: keyof FlowQuery, value: unknown, context: QueryContext, keys: string): Condition {
  const spec = QUERY_KEYS[key];
  const refuse = (what: string, cause?: unknown) =>
    new SluiceError('BAD_MATCH', `match: ${key}: ${what}; ${keys}`, { cause });
  let compiled: ReturnType<typeof spec.compile>;
  try {
    compiled = spec.compile(value, context);
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  if (compiled === undefined) throw refuse(`${describeValue(value)} is not accepted; give ${spec.accepted}`);
  const { test, was, expected, near, namesMethod = false } = compiled;
  return {
    key,
    weight: spec.weight,
    namesMethod,
    test,
    reason: (subject) => `${key} was ${was(subject)}, expected ${expected}`,
    near: (subject) => Math.min(1, Math.max(0, near?.(subject) ?? 0)),
  };
}
