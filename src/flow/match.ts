/**
 * What a test types to select flows.
 * @module
 */
import { types } from 'node:util';
import { SluiceError } from '../errors.js';
import { describeValue } from './describe.js';
import {
  type Condition,
  compileQuery,
  FLOW_KEYS,
  type FlowQuery,
  STREAM_KEYS,
  type Subject,
} from './query.js';
import type { HttpFlow, HttpRequest, HttpResponse } from './types.js';

export type { FlowQuery } from './query.js';

/**
 * Selects flows: a URL glob as in `page.route`, resolved against `baseURL` where the runner has one; a RegExp that is
 * looked for in the URL; a function; or a query. One that names no method skips CORS preflights.
 */
export type FlowMatch = string | RegExp | ((flow: HttpFlow) => boolean | Promise<boolean>) | FlowQuery;

/** Selects messages at their head, so that it sees only what heads show. */
export type StreamMatch =
  | string
  | RegExp
  | ((message: HttpRequest | HttpResponse, flow: HttpFlow) => boolean)
  | Pick<FlowQuery, 'url' | 'method' | 'host' | 'path' | 'status' | 'contentType' | 'largerThan' | 'headers'>;

/** Which message `contentType`, `largerThan` and `headers` look at. */
export type MatchSide = 'request' | 'response';

export interface MatchContext {
  /** What relative URL globs are resolved against. */
  baseURL?: string;
  /** Default `'response'`. */
  side?: MatchSide;
}

/** A match of flows, checked and ready. */
export interface CompiledMatch {
  /** The match as it was typed, for messages. */
  readonly describe: string;
  /** It names a method, so that preflights may match. */
  readonly namesMethod: boolean;
  /** @throws whatever the caller's function throws */
  test(flow: HttpFlow): boolean | Promise<boolean>;
  /** What it looks at, a condition a key; empty for a function. */
  readonly conditions: readonly Condition[];
  subject(flow: HttpFlow): Subject;
}

/** A match of messages at their head, checked and ready. */
export interface CompiledStreamMatch {
  readonly describe: string;
  readonly namesMethod: boolean;
  /** @throws whatever the caller's function throws; SluiceError BAD_MATCH if that gives a promise */
  test(message: HttpRequest | HttpResponse, flow: HttpFlow): boolean;
}

/** How near a flow came to a match. */
export interface Mismatch {
  /** 0 to 1, higher is nearer; 1 only if everything held. */
  score: number;
  /** What did not hold, a phrase each: `status was 500, expected 204`. */
  reasons: string[];
}

/**
 * Checks a match of whole flows.
 * @throws SluiceError BAD_MATCH, naming the key, what was given and what is accepted
 */
export function compileFlowMatch(match: FlowMatch, context: MatchContext = {}): CompiledMatch {
  const { side = 'response', baseURL } = context;
  const subject = (flow: HttpFlow): Subject => ({ flow, message: flow[side], response: flow.response });
  const common = { describe: describeValue(match), subject };
  if (typeof match === 'function') {
    const test = (flow: HttpFlow): boolean | Promise<boolean> => {
      if (flow.preflight) return false;
      const answer: unknown = match(flow);
      return isThenable(answer) ? Promise.resolve(answer).then(Boolean) : Boolean(answer);
    };
    return { ...common, namesMethod: false, conditions: [], test };
  }
  const query = queryOf(match, FLOW_KEYS);
  const conditions = compileQuery(query, FLOW_KEYS, { baseURL, atHead: false });
  const namesMethod = conditions.some((condition) => condition.namesMethod);
  const test = (flow: HttpFlow): boolean => {
    if (flow.preflight && !namesMethod) return false;
    const of = subject(flow);
    return conditions.every((condition) => condition.test(of));
  };
  return { ...common, namesMethod, conditions, test };
}

/**
 * Checks a match that is decided at a message's head. `largerThan` goes by Content-Length alone; `status` holds of
 * responses only.
 * @throws SluiceError BAD_MATCH, naming the key, what was given and what is accepted
 */
export function compileStreamMatch(
  match: StreamMatch,
  side: MatchSide,
  context: { baseURL?: string } = {},
): CompiledStreamMatch {
  const describe = describeValue(match);
  if (typeof match === 'function') {
    if (types.isAsyncFunction(match)) throw notAtHead(describe);
    const test = (message: HttpRequest | HttpResponse, flow: HttpFlow): boolean => {
      if (flow.preflight) return false;
      const answer: unknown = match(message, flow);
      if (!isThenable(answer)) return Boolean(answer);
      // The refusal stands for whatever becomes of the promise.
      answer.then(undefined, () => undefined);
      throw notAtHead(describe);
    };
    return { describe, namesMethod: false, test };
  }
  const query = queryOf(match, STREAM_KEYS);
  const conditions = compileQuery(query, STREAM_KEYS, { baseURL: context.baseURL, atHead: true });
  const namesMethod = conditions.some((condition) => condition.namesMethod);
  const test = (message: HttpRequest | HttpResponse, flow: HttpFlow): boolean => {
    if (flow.preflight && !namesMethod) return false;
    const response = side === 'response' ? (message as HttpResponse) : undefined;
    return conditions.every((condition) => condition.test({ flow, message, response }));
  };
  return { describe, namesMethod, test };
}

/**
 * Says what kept a flow from matching and how near it came, so that the nearest misses can be listed first: what was
 * asked of the URL counts most, and a near URL counts less than the right one. A function is not asked again.
 */
export function explainMismatch(match: CompiledMatch, flow: HttpFlow): Mismatch {
  if (match.conditions.length === 0) return { score: 0, reasons: [`${match.describe} did not accept it`] };
  const subject = match.subject(flow);
  const reasons: string[] = [];
  let reached = 0;
  let total = 0;
  for (const condition of match.conditions) {
    total += condition.weight;
    if (condition.test(subject)) {
      reached += condition.weight;
    } else {
      reached += condition.weight * 0.6 * condition.near(subject);
      reasons.push(condition.reason(subject));
    }
  }
  const skipped = flow.preflight && !match.namesMethod;
  if (skipped) reasons.push("it is a CORS preflight, which a match without 'method' skips");
  return { score: (reached / total) * (skipped ? 0.5 : 1), reasons };
}

function queryOf(match: unknown, keys: readonly string[]): Record<string, unknown> {
  if ((typeof match === 'string' && match !== '') || types.isRegExp(match)) return { url: match };
  if (typeof match === 'object' && match !== null && !Array.isArray(match))
    return match as Record<string, unknown>;
  throw new SluiceError(
    'BAD_MATCH',
    `match: ${describeValue(match)} is not accepted; give a URL glob, a RegExp, a function or an object of ${keys.join(', ')}`,
  );
}

function notAtHead(describe: string): SluiceError {
  return new SluiceError(
    'BAD_MATCH',
    `match: ${describe} gives a promise; whether to stream is decided at the head, so give a function that returns a boolean`,
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
