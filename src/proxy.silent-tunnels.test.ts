import { describe, expect, it } from '@jest/globals';
import type { ProxyOptions } from './options/types.js';
import { RawOrigin, type RawPeer } from './testing/raw-peer.js';
import { testProxy } from './testing/test-proxy.js';
import { holdTimers } from './testing/timers.js';
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

describe('a tunnel that is not named', () => {
  it('passes on what may yet begin HTTP, when no more of it comes', async () => {
    await withProxy({}, async (stage) => {
      const beginnings = ['QUIT', 'GET ', '\r\nPO', 'PRI '];
      const clients = new Map<string, RawPeer>();
      for (const beginning of beginnings) {
        const client = await tunnel(stage, stage.origin.host);
        await client.send(beginning);
        clients.set(beginning, client);
      }
      const passed = beginnings.map(async () => {
        const upstream = await stage.origin.accept();
        const beginning = (await upstream.read(4)).toString();
        const client = clients.get(beginning);
        await upstream.send('what is it?');
        expect((await client?.read(11))?.toString()).toBe('what is it?');
        await client?.send('/ HTTP/1.1\r\n\r\n');
        expect(await upstream.head()).toBe('/ HTTP/1.1\r\n\r\n');
        return beginning;
      });
      expect((await Promise.all(passed)).sort()).toEqual([...beginnings].sort());
      expect(stage.proxy.flows).toHaveLength(0);
    });
  });

  it('reads as HTTP what comes with pauses that are shorter', async () => {
    await withProxy({}, async (stage) => {
      using timers = holdTimers();
      const client = await tunnel(stage, stage.origin.host);
      const head = 'GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n';
      for (const octet of head) await client.send(octet);
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe(head);
      // What waited for more of it is over: it has been decided.
      timers.fire();
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      expect(await client.head()).toContain('204 No Content');
      expect(stage.proxy.flows).toHaveLength(1);
    });
  });

  it('to an origin that is not there is closed in time, told once, though its client is silent', async () => {
    await withProxy({}, async (stage) => {
      stage.origin.close();
      using timers = holdTimers();
      const told: string[] = [];
      stage.proxy.on('clientError', (_client, error) => void told.push(error.message));
      const client = await tunnel(stage, stage.origin.host);
      const ended = () => {
        timers.fire();
        return client.ended !== undefined;
      };
      await stage.eventually(ended, 'the tunnel to end');
      expect(told).toEqual([expect.stringContaining(stage.origin.host)]);
      expect(stage.proxy.flows).toHaveLength(0);
    });
  });

  it('waits for the first request of a slow client, which is told that the origin is not there', async () => {
    const chained = await RawOrigin.listen();
    try {
      await withProxy({ upstream: { server: `http://${chained.host}` } }, async (stage) => {
        const told: string[] = [];
        stage.proxy.on('clientError', (_client, error) => void told.push(error.message));
        const client = await tunnel(stage, 'app.test:80');
        const asked = await chained.accept();
        await asked.head();
        await asked.send('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
        await asked.ending;
        stage.proxy.mapHost('app.test', '127.0.0.1:1');
        await client.send('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
        expect(await client.head()).toContain('502 Bad Gateway');
        expect((await stage.over()).error?.code).toBe('ORIGIN_UNREACHABLE');
        expect(told).toEqual([]);
      });
    } finally {
      chained.close();
    }
  });
});

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

  it('is one flow, also when its client closes its side after the origin was given a chance', async () => {
    await withProxy(options, async (stage) => {
      const client = await tunnel(stage, stage.origin.host);
      const asked = await stage.origin.accept();
      client.end();
      expect(await asked.ending).toBe('fin');
      const upstream = await stage.origin.accept();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('the time');
      upstream.end();
      expect((await client.rest()).toString()).toBe('the time');
      await stage.eventually(() => stage.proxy.tcpFlows.last?.endedAt !== undefined, 'the flow to end');
      expect(stage.proxy.tcpFlows.map(({ error }) => error)).toEqual([undefined]);
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
