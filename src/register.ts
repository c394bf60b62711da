/**
 * Sends a Node process through the proxy that its environment names: `node --import sluice/register app.js`. Node does
 * that by itself from 22.21 and 24.5 on; before, it heeds none of these variables. `NO_PROXY` is not looked at, and all
 * goes to one proxy: that of `https_proxy`, else of `http_proxy`.
 *
 * @example
 * spawn(process.execPath, ['--import', 'sluice/register', 'app.js'], { env: { ...process.env, ...proxy.env } });
 * @module
 */
import { routeProcess } from './clients/routing.js';

const server =
  process.env.https_proxy || process.env.HTTPS_PROXY || process.env.http_proxy || process.env.HTTP_PROXY;
// Node has read NODE_EXTRA_CA_CERTS by now.
if (server) routeProcess({ server, trusted: [] });
