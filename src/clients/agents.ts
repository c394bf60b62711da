import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { type Opened, openTunnel } from './tunnel.js';
import type { Way } from './way.js';

/** How `node:http` is told of a connection: of an error there is no stream. */
type Created = (error: Error | null, stream: Duplex) => void;

/** Agents for `node:http` and `node:https`: each opens tunnels through a proxy. They keep connections as Node's own do. */
export function makeAgents({ server, trusted }: Way): { http: http.Agent; https: https.Agent } {
  const tunnel = ({ host, port }: http.ClientRequestArgs, usual: number, opened: Opened) =>
    openTunnel(server, host ?? 'localhost', Number(port ?? usual), opened);

  // For a request with `agent: false` Node makes another of its kind, without arguments.
  class HttpAgent extends http.Agent {
    constructor() {
      super({ keepAlive: true });
    }

    override createConnection(options: http.ClientRequestArgs, created?: Created): undefined {
      tunnel(options, 80, (error, socket) => created?.(error, socket as Duplex));
    }
  }
  class HttpsAgent extends https.Agent {
    constructor() {
      super({ keepAlive: true });
    }

    override createConnection(options: https.RequestOptions, created?: Created): undefined {
      const ca = trusted.length > 0 ? [...[options.ca ?? []].flat(), ...trusted] : options.ca;
      tunnel(options, 443, (error, socket) => {
        const secured = socket && tls.connect({ ...(options as object), path: undefined, socket, ca });
        created?.(error, secured as Duplex);
      });
    }
  }
  return { http: new HttpAgent(), https: new HttpsAgent() };
}
