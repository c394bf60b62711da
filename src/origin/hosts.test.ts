import net from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { RawPeer } from '../testing/raw-peer.js';
import { withProxy } from '../testing/with-proxy.js';
import { HostMap } from './hosts.js';

describe('hosts', () => {
  it('the most specific entry wins, of equal ones the newest', () => {
    const map = new HostMap({
      '*': 'any',
      '*.test': 'below-test',
      '*.cdn.test': 'below-cdn',
      'a.cdn.test': 'name',
      'a.cdn.test:8443': 'name-and-port',
      '*:9999': 'any-of-port',
      '[::1]:80': 'v6-and-port',
    });
    const asked = [
      ['elsewhere.example', 80],
      ['elsewhere.example', 9999],
      ['x.test', 80],
      ['X.CDN.test', 80],
      ['a.cdn.test', 443],
      ['a.cdn.test', 8443],
      ['a.cdn.test', 9999],
      ['::1', 80],
      ['cdn.test', 80],
    ] as const;
    expect(asked.map(([host, port]) => map.find(host, port)?.host)).toEqual([
      'any',
      'any-of-port',
      'below-test',
      'below-cdn',
      'name',
      'name-and-port',
      'name',
      'v6-and-port',
      'below-test',
    ]);
    const remove = map.add('a.cdn.test', 'newer');
    expect(map.find('a.cdn.test', 80)?.host).toBe('newer');
    remove();
    expect(map.find('a.cdn.test', 80)?.host).toBe('name');
  });

  it('targets are hosts, hosts and ports, or URLs that say whether to speak TLS', () => {
    const targets = {
      'b.test': { host: 'b.test', port: undefined, tls: undefined },
      'b.test:81': { host: 'b.test', port: 81, tls: undefined },
      '[::1]:81': { host: '::1', port: 81, tls: undefined },
      '::1': { host: '::1', port: undefined, tls: undefined },
      'http://b.test': { host: 'b.test', port: 80, tls: false },
      'https://b.test:8443/': { host: 'b.test', port: 8443, tls: true },
    };
    for (const [target, expected] of Object.entries(targets)) {
      expect(new HostMap({ 'a.test': target }).find('a.test', 1)).toEqual(expected);
    }
  });

  it('URL and Host stay; mapHost comes on top, from the next request on, until it is disposed of', () =>
    withProxy({ hosts: { 'app.test': '127.0.0.1:1' } }, async (stage) => {
      const mapping = stage.proxy.mapHost('app.test', stage.origin.host);
      const request = 'GET http://app.test/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n';
      const client = await stage.client();
      await client.send(request);
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toContain('GET /x HTTP/1.1\r\nHost: app.test\r\n');
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      const flow = await stage.over();
      expect(flow.request.url).toBe('http://app.test/x');
      expect(flow.server).toMatchObject({ address: '127.0.0.1', port: stage.origin.port });
      mapping.dispose();
      const second = await stage.client();
      await second.send(request);
      expect(await second.head()).toContain('502 ');
    }));

  it('a bad mapping is refused where it is made', () =>
    withProxy({}, async ({ proxy }) => {
      expect(() => proxy.mapHost('a b', 'x')).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }));
      expect(() => proxy.mapHost('a.test', 'x:y:z')).toThrow(/"x:y:z" is not a target; give 'host'/);
    }));
});

describe('localhost', () => {
  for (const address of ['127.0.0.1', '::1']) {
    for (const name of ['localhost', 'any.name.localhost', 'LOCALHOST']) {
      it(`${name} leads to ${address} if that is where somebody listens`, () =>
        withProxy({}, async (stage) => {
          const peers: RawPeer[] = [];
          const server = net.createServer((socket) => peers.push(new RawPeer('origin', socket)));
          await new Promise<void>((resolve) => server.listen(0, address, resolve));
          try {
            const { port } = server.address() as net.AddressInfo;
            const client = await stage.client();
            await client.send(`GET http://${name}:${port}/ HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
            await stage.eventually(() => peers.length > 0, 'the connection');
            expect(await peers[0]?.head()).toContain(`Host: ${name}:${port}\r\n`);
            await peers[0]?.send('HTTP/1.1 204 No Content\r\n\r\n');
            expect((await stage.over()).server?.address).toBe(address);
          } finally {
            for (const peer of peers) peer.destroy();
            server.close();
          }
        }));
    }
  }
});
