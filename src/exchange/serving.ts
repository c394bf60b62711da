/**
 * Who serves a request: an answer that a hook or rule gives, or else the origin.
 * @module
 */
import { messageOf } from '../errors.js';
import { endpointOf } from '../flow/authority.js';
import type { RequestRecord } from '../flow/message.js';
import type { RespondInit } from '../flow/types.js';
import { OriginFailure } from '../origin/failure.js';
import type { Route } from '../origin/origins.js';
import type { ConnectionPin, OriginStream } from '../origin/stream.js';
import { AnswerStream } from './answer.js';
import type { Exchange } from './exchange.js';

/** Where a request goes if nobody answers it. */
export interface Destination {
  route: Route;
  pin: ConnectionPin;
}

type Use = (origin: OriginStream) => void;

/**
 * Asks the rules for an answer, unless a hook has given one, and then the origin. Calls `use` once, or fails the flow.
 * @param fresh not over a connection that has served before
 */
export function findServer(exchange: Exchange, to: Destination, fresh: boolean, use: Use): void {
  let answer: RespondInit | undefined;
  if (exchange.answer === undefined) {
    const failed = (error: unknown) =>
      exchange.fail('RULE_FAILED', `a rule threw while it looked for an answer: ${messageOf(error)}`, error);
    try {
      const found = exchange.services.answerFor(exchange.flow);
      if (found instanceof Promise) {
        found.then((late) => answerOrAcquire(exchange, late, to, fresh, use), failed);
        return;
      }
      answer = found;
    } catch (error) {
      failed(error);
      return;
    }
  }
  answerOrAcquire(exchange, answer, to, fresh, use);
}

/** A connection to the origin, without a look at the rules. Calls `use` once, or fails the flow. */
export function acquireOrigin(exchange: Exchange, to: Destination, fresh: boolean, use: Use): void {
  const failed = (error: unknown) => {
    if (wasAnswered(exchange)) return;
    const known = error instanceof OriginFailure;
    exchange.fail(known ? error.code : 'INTERNAL', messageOf(error), known ? error.cause : error);
  };
  let origin: OriginStream | Promise<OriginStream>;
  try {
    origin = exchange.services.acquire(routeOf(exchange.flow.request, to.route), fresh, to.pin);
  } catch (error) {
    failed(error);
    return;
  }
  if (origin instanceof Promise) origin.then((late) => hand(exchange, late, use), failed);
  else hand(exchange, origin, use);
}

/** The answer that was given, in the shape of an origin. */
export function takeAnswer(exchange: Exchange): AnswerStream {
  const init = exchange.answer ?? {};
  exchange.answer = undefined;
  return new AnswerStream(init, exchange.flow.request.method, exchange.client.version === '2.0');
}

function answerOrAcquire(
  exchange: Exchange,
  answer: RespondInit | undefined,
  to: Destination,
  fresh: boolean,
  use: Use,
): void {
  if (exchange.over) return;
  exchange.answer ??= answer;
  if (exchange.answer === undefined) acquireOrigin(exchange, to, fresh, use);
  else exchange.guard(() => use(takeAnswer(exchange)));
}

function hand(exchange: Exchange, origin: OriginStream, use: Use): void {
  if (wasAnswered(exchange)) origin.cut();
  else exchange.guard(() => use(origin));
}

/** Somebody answered in the origin's place while it was being connected to. */
function wasAnswered(exchange: Exchange): boolean {
  return exchange.origin instanceof AnswerStream;
}

function routeOf(request: RequestRecord, route: Route): Route {
  if (!request.rerouted) return route;
  const { tls, host, port } = endpointOf(new URL(request.url));
  const opaque = route.opaque ? { opaque: true } : {};
  // Known beforehand of the old origin, HTTP/2 without TLS is a guess about the new one.
  const http2 = route.http2 && (tls || !route.tls) ? { http2: route.http2 } : {};
  return { tls, host, port, serverName: host, ...opaque, ...http2 };
}
