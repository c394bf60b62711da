/**
 * From a request's head to its exchange, whatever protocol it came by.
 * @module
 */
import type { ClientStream } from '../exchange/client-stream.js';
import { Exchange } from '../exchange/exchange.js';
import type { RequestHead } from '../http1/head.js';
import type { Route } from '../origin/origins.js';
import type { ConnectionPin } from '../origin/stream.js';
import type { ListenServices } from './services.js';

/** Makes the exchange of a request; {@link startExchange} begins it. */
export function openExchange(
  services: ListenServices,
  client: ClientStream,
  head: RequestHead,
  where: { url: string; route: Route },
  pin: ConnectionPin,
): Exchange {
  return new Exchange(services, client, head, services.nextId(), where, pin);
}

/** Begins an exchange, unless its request came back to this proxy through a connection of its own. */
export function startExchange(services: ListenServices, exchange: Exchange): void {
  const { client, flow } = exchange;
  if (!services.isOwnConnection(client.info.port)) {
    exchange.start();
    return;
  }
  services.started(flow);
  exchange.fail('PROXY_LOOP', `${flow.request.url} came back to this proxy through a connection of its own`);
}
