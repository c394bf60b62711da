import { describe, expect, it } from '@jest/globals';
import type { ProxyOptions } from './options.js';
import type { RawPeer } from './testing/raw-peer.js';
import { testProxy } from './testing/test-proxy.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

async function tunnel({ client }: Stage, to: string): Promise<RawPeer> {
  const peer = await client();
  await peer.send(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
  await peer.head();
  return peer;
}

/** How what neither speaks HTTP nor TLS is treated: named, and recorded, or not. */
const WAYS: Record<string, ProxyOptions> = {
  'a tunnel': {},
  'a tunnel that is recorded': { tcpHosts: ['.'] },
};

for (const [way, options] of Object.entries(WAYS)) {
  describe(`${way} whose client is silent`, () => {
    it('ends when its origin does, without a word', async () => {
      await withProxy(options, async (stage) => {
        const client = await tunnel(stage, stage.origin.host);
        const upstream = await stage.origin.accept();
        upstream.end();
        expect(await client.ending).toBe('fin');
        client.end();
        expect(await upstream.ending).toBe('fin');
      });
    });

    it('ends with its origin also over another proxy', async () => {
      const chained = await testProxy();
      try {
        await withProxy({ ...options, upstream: { server: chained.server } }, async (stage) => {
          const client = await tunnel(stage, stage.origin.host);
          const upstream = await stage.origin.accept();
          upstream.end();
          expect(await client.ending).toBe('fin');
        });
      } finally {
        await chained.close();
      }
    });

    it('is lost when its origin is', async () => {
      await withProxy(options, async (stage) => {
        const client = await tunnel(stage, stage.origin.host);
        const upstream = await stage.origin.accept();
        // The proxy's first look at the connection finds it whole.
        await upstream.send('.');
        await client.read(1);
        upstream.reset();
        expect(await client.ending).toBe('rst');
      });
    });
  });
}

describe('a recorded tunnel', () => {
  const options: ProxyOptions = { tcpHosts: ['.'] };

  it('whose client only listens, its side closed, is heard out', async () => {
    await withProxy(options, async (stage) => {
      const client = await tunnel(stage, stage.origin.host);
      client.end();
      const upstream = await stage.origin.accept();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('the time');
      upstream.end();
      expect((await client.rest()).toString()).toBe('the time');
      await stage.eventually(() => stage.proxy.tcpFlows.last?.endedAt !== undefined, 'the flow to end');
      expect(stage.proxy.tcpFlows.last?.received).toEqual({ client: 0, server: 8 });
      expect(stage.proxy.tcpFlows.last?.error).toBe(undefined);
    });
  });

  it('to an origin that is not there is lost, though its client is silent', async () => {
    await withProxy(options, async (stage) => {
      stage.origin.close();
      const client = await tunnel(stage, stage.origin.host);
      expect(await client.ending).toBe('rst');
      expect(stage.proxy.tcpFlows.last?.error?.code).toBe('ORIGIN_UNREACHABLE');
    });
  });
});
