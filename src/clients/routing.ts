import http from 'node:http';
import https from 'node:https';
import { makeAgents } from './agents.js';
import { makeDispatcher } from './dispatcher.js';
import type { Way } from './way.js';

type Fetch = typeof globalThis.fetch;

/** Where this process looks for what makes its requests. */
interface Places {
  fetch: Fetch;
  http: http.Agent;
  https: https.Agent;
}

const PLACES: { [K in keyof Places]: { get(): Places[K]; set(value: Places[K]): void } } = {
  fetch: {
    get: () => globalThis.fetch,
    set: (value) => {
      globalThis.fetch = value;
    },
  },
  http: {
    get: () => http.globalAgent,
    set: (value) => {
      http.globalAgent = value;
    },
  },
  https: {
    get: () => https.globalAgent,
    set: (value) => {
      https.globalAgent = value;
    },
  },
};

/** What a routing has put there, and what it found. */
interface Routing {
  readonly ours: Places;
  readonly found: Places;
}

/** Those that are on, in order of their beginning; they may end in another. */
const routings: Routing[] = [];

/**
 * Sends what this process requests through a proxy: by the global `fetch`, and by `node:http` and `node:https` where no
 * agent is given.
 * @returns what puts everything back; what somebody else has replaced since then is left alone
 */
export function routeProcess(way: Way): () => void {
  const dispatcher = makeDispatcher(way);
  const agents = makeAgents(way);
  let over = false;
  const found: Places = { fetch: globalThis.fetch, http: http.globalAgent, https: https.globalAgent };
  // Who has kept it finds the way that there was without it.
  const routed: Fetch = (input, init) =>
    found.fetch(input, over ? init : ({ dispatcher, ...init } as RequestInit));
  // Browser-like sandboxes have no `fetch`, and get none.
  const ours: Places = { fetch: 'fetch' in globalThis ? routed : found.fetch, ...agents };
  const routing = { ours, found };
  routings.push(routing);
  for (const place of ['fetch', 'http', 'https'] as const) put(place, ours);
  return () => {
    if (over) return;
    over = true;
    routings.splice(routings.indexOf(routing), 1);
    for (const place of ['fetch', 'http', 'https'] as const) takeOut(place, routing);
    agents.http.destroy();
    agents.https.destroy();
    // Not waited for: it is done in microtasks, which a test may have replaced by ones of its own.
    void dispatcher.destroy();
  };
}

function put<K extends keyof Places>(place: K, places: Places): void {
  PLACES[place].set(places[place]);
}

function takeOut<K extends keyof Places>(place: K, { ours, found }: Routing): void {
  if (PLACES[place].get() === ours[place]) put(place, found);
  // A later routing that is still on is not to put back what is no more.
  for (const later of routings) if (later.found[place] === ours[place]) later.found[place] = found[place];
}
