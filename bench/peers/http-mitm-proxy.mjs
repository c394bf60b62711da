// http-mitm-proxy, without handlers. `FOLDER` is where it puts its certificates.
import http from 'node:http';
import https from 'node:https';
import { Proxy as MitmProxy } from 'http-mitm-proxy';

const [sslCaDir] = process.argv.slice(2);
const proxy = new MitmProxy();
proxy.onError(() => undefined);
proxy.listen(
  {
    host: '127.0.0.1',
    port: 0,
    sslCaDir,
    keepAlive: true,
    httpAgent: new http.Agent({ keepAlive: true }),
    httpsAgent: new https.Agent({ keepAlive: true, rejectUnauthorized: false }),
  },
  () => process.send({ port: proxy.httpPort }),
);
process.on('message', ({ id, what }) => {
  if (what === 'gc') globalThis.gc();
  process.send({ id });
});
process.on('disconnect', () => process.exit());
