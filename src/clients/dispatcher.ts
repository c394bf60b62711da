/**
 * What sends a `fetch` of this process through a proxy. Loads a library, so it is imported where it is needed only.
 * @module
 */
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { openTunnel } from './tunnel.js';
import type { Way } from './way.js';

/**
 * undici's own ProxyAgent would do, but what it leaves behind is taken for an open handle by `jest --detectOpenHandles`.
 * @returns what `fetch` takes as its `dispatcher`
 */
export function makeDispatcher({ server, trusted }: Way): Dispatcher {
  const secure = buildConnector(trusted.length > 0 ? { ca: [...trusted] } : {});
  return new Agent({
    connect(options, opened) {
      const isSecure = options.protocol === 'https:';
      openTunnel(server, options.hostname, Number(options.port || (isSecure ? 443 : 80)), (error, socket) => {
        if (socket === null) opened(error ?? new Error('no socket'), null);
        else if (isSecure) secure({ ...options, httpSocket: socket }, opened);
        // Handed such a connection, undici would drop it and make another, for ever.
        else if (socket.readableLength > 0) {
          socket.destroy();
          opened(new Error('the origin spoke before it was asked'), null);
        } else opened(null, socket);
      });
    },
  });
}
