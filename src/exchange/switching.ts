/**
 * What a connection becomes once both ends have agreed on another protocol (RFC 9110 section 7.8).
 * @module
 */
import type { ResponseRecord } from '../flow/response.js';
import { hasToken } from '../http1/head.js';
import { relay } from '../tcp/relay.js';
import { type SessionEnds, WebSocketSession } from '../websocket/session.js';
import type { Exchange } from './exchange.js';

/** Puts the new protocol to work. `complete` ends the exchange, before anything of it passes. */
type Switched = (complete: () => void) => void;

/** A WebSocket, or a raw tunnel that is not looked into. Until it is put to work, nothing passes. */
export function switchProtocols(exchange: Exchange, ends: SessionEnds, response: ResponseRecord): Switched {
  const isWebSocket =
    /^wss?:/.test(exchange.flow.request.url) && hasToken(response.headers.get('upgrade'), 'websocket');
  return isWebSocket ? webSocket(exchange, ends) : tunnel(ends);
}

function webSocket(exchange: Exchange, ends: SessionEnds): Switched {
  const session = new WebSocketSession(exchange.flow, ends, exchange.services);
  return (complete) => {
    session.begin();
    exchange.session = session;
    complete();
    session.open();
  };
}

function tunnel({ client, origin }: SessionEnds): Switched {
  const a = { ...client.transport.detach(), rest: client.rest };
  const b = { ...origin.transport.detach(), rest: origin.rest };
  return (complete) => {
    relay(a, b);
    complete();
  };
}
