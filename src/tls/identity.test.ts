import { describe, expect, it } from '@jest/globals';
import { openTunnel, secured, TlsOrigin } from '../listen/testing/tunnels.js';
import { withProxy } from '../testing/with-proxy.js';

describe('an origin that is named by its IPv6 address', () => {
  for (const [what, name] of [
    ['is trusted with a certificate for it', '::1'],
    ['is not trusted with one for another', '::2'],
    ['is not trusted with one for a name', 'app.test'],
  ] as const) {
    it(what, async () => {
      const origin = await TlsOrigin.listen(name);
      try {
        await withProxy({ hosts: { '[::1]': origin.host }, upstreamCa: origin.ca }, async (stage) => {
          const tunnel = await openTunnel(stage, '[::1]:443');
          const client = await secured(tunnel, { host: '::1', ca: stage.proxy.ca.cert });
          await client.send('GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n');
          const served = origin.accept().then((upstream) => upstream.send('HTTP/1.1 204 None\r\n\r\n'));
          const head = await client.head();
          if (name === '::1') {
            expect(head).toMatch(/^HTTP\/1\.1 204 /);
            await served;
          } else {
            expect(head).toMatch(/^HTTP\/1\.1 502 /);
            expect((await stage.over()).error?.code).toBe('ORIGIN_TLS');
          }
        });
      } finally {
        origin.close();
      }
    });
  }
});
