import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { testProxy } from '../testing/test-proxy.js';
import { type Echo, withEcho } from './testing/echo.js';

const json = async (response: Response) => (await response.json()) as Echo;

describe('proxy.fetch', () => {
  for (const url of ['http://api.test/a?b=c', 'https://api.test/a?b=c']) {
    it(`goes through the proxy to ${url}, and trusts its CA`, () =>
      withEcho(async ({ proxy }) => {
        const response = await proxy.fetch(url, { headers: { 'x-a': '1' } });
        expect(response).toBeInstanceOf(Response);
        expect(await json(response)).toMatchObject({ method: 'GET', url: '/a?b=c', headers: { 'x-a': '1' } });
        expect(proxy.flows.map((flow) => flow.request.url)).toEqual([url]);
      }));
  }

  it('resolves relative URLs against baseURL', () =>
    withEcho(
      async ({ proxy }) => {
        expect((await json(await proxy.fetch('orders'))).url).toBe('/v1/orders');
        expect((await json(await proxy.fetch('/orders'))).url).toBe('/orders');
        expect((await json(await proxy.fetch('http://api.test/x'))).headers.host).toBe('api.test');
      },
      {},
      { baseURL: 'https://api.test/v1/' },
    ));

  it('says of a relative URL without baseURL what fetch says', () =>
    withEcho(async ({ proxy }) => {
      await expect(proxy.fetch('/orders')).rejects.toThrow(/parse URL/);
    }));

  it('takes a Request and a URL', () =>
    withEcho(async ({ proxy }) => {
      const request = new Request('https://api.test/r', { method: 'POST', body: 'text' });
      expect(await json(await proxy.fetch(request))).toMatchObject({
        method: 'POST',
        url: '/r',
        body: 'text',
      });
      expect((await json(await proxy.fetch(new URL('https://api.test/u')))).url).toBe('/u');
      expect(proxy.flows).toHaveLength(2);
    }));

  it('sends FormData, part by part on the record', () =>
    withEcho(async ({ proxy }) => {
      const body = new FormData();
      body.set('name', 'Ada');
      body.set('file', new Blob(['12345'], { type: 'text/csv' }), 'a.csv');
      await proxy.fetch('https://api.test/upload', { method: 'POST', body });
      expect(proxy.flows.last?.request.parts).toMatchObject([
        { name: 'name', bytes: 3 },
        { name: 'file', filename: 'a.csv', contentType: 'text/csv', bytes: 5 },
      ]);
    }));

  it('sends a stream chunk by chunk', () =>
    withEcho(async ({ proxy }) => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const text of ['one', 'three']) controller.enqueue(Buffer.from(text));
          controller.close();
        },
      });
      const init = { method: 'POST', body, duplex: 'half' };
      const echo = await json(await proxy.fetch('https://api.test/stream', init as RequestInit));
      expect(echo.body).toBe('onethree');
      expect(proxy.flows.last?.request.headers.get('transfer-encoding')).toBe('chunked');
    }));

  it('follows redirects, and is aborted by a signal', () =>
    withEcho(async ({ proxy }) => {
      proxy.respond('**/from', { status: 302, headers: { location: 'https://api.test/to' } });
      expect((await json(await proxy.fetch('http://api.test/from'))).url).toBe('/to');
      const end = new AbortController();
      const held = proxy.fetch('https://api.test/held', { signal: end.signal });
      await proxy.waitForRequest('**/held');
      end.abort();
      await expect(held).rejects.toMatchObject({ name: 'AbortError' });
      expect((await proxy.waitForError('**/held')).error.code).toBe('CLIENT_ABORTED');
    }));

  it('does not care what a test has put in the place of the global fetch', () =>
    withEcho(async ({ proxy }) => {
      const original = globalThis.fetch;
      globalThis.fetch = () => Promise.reject(new Error('mocked'));
      try {
        expect((await proxy.fetch('https://api.test/')).status).toBe(200);
      } finally {
        globalThis.fetch = original;
      }
    }));

  it('can be handed on without its proxy', () =>
    withEcho(async ({ proxy: { fetch } }) => {
      expect((await fetch('https://api.test/')).status).toBe(200);
    }));

  it('is refused once the proxy is closed', async () => {
    const proxy = await testProxy();
    const { fetch } = proxy;
    await proxy.close();
    await expect(fetch('http://api.test/')).rejects.toMatchObject({ code: 'PROXY_CLOSED' });
    await expect(proxy.fetch('http://api.test/')).rejects.toThrow('fetch: the proxy is closed');
  });

  it('fails when the proxy is closed meanwhile', () =>
    withEcho(async ({ proxy }) => {
      const held = proxy.fetch('https://api.test/held');
      const failed = expect(held).rejects.toThrow('fetch failed');
      await proxy.waitForRequest('**/held');
      await proxy.close();
      await failed;
    }));

  it('trusts what this process does where ignoreHosts leaves certificates as they are', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'extras-'));
    const before = process.env.NODE_EXTRA_CA_CERTS;
    const options = { ignoreHosts: ['api.test:443'], hosts: {} };
    try {
      await withEcho(async ({ proxy, secure, originCa }) => {
        const file = path.join(folder, 'origin.pem');
        await writeFile(file, originCa);
        process.env.NODE_EXTRA_CA_CERTS = file;
        proxy.mapHost('api.test', new URL(secure).host.replace('localhost', '127.0.0.1'));
        expect((await proxy.fetch('https://api.test/')).status).toBe(200);
        expect(proxy.flows).toHaveLength(0);
        proxy.respond('**', { status: 204 });
        expect((await proxy.fetch('https://other.test/')).status).toBe(204);
      }, options);
    } finally {
      if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = before;
      await rm(folder, { recursive: true });
    }
  });

  it('fails as a network does where originErrors is "abort"', () =>
    withEcho(
      async ({ proxy }) => {
        for (const input of ['http://none.test#x', new Request('http://none.test/')]) {
          await expect(proxy.fetch(input)).rejects.toMatchObject({
            name: 'TypeError',
            message: expect.stringMatching(/^fetch failed: ORIGIN_UNREACHABLE: .*127\.0\.0\.1/),
            stack: expect.stringContaining('clients.test.ts'),
          });
        }
        expect(proxy.flows.last?.error?.code).toBe('ORIGIN_UNREACHABLE');
      },
      { originErrors: 'abort', hosts: { 'none.test': '127.0.0.1:1' } },
    ));
});
