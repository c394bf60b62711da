import { describe, expect, it } from '@jest/globals';
import { octets, sha256 } from '../testing/bytes.js';
import { withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const POST = 'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}';

describe('bodySizeLimit', () => {
  for (const [framing, field, wire] of [
    ['with Content-Length', 'Content-Length: 11', 'x'.repeat(11)],
    ['in chunks', 'Transfer-Encoding: chunked', `b\r\n${'x'.repeat(11)}\r\n0\r\n\r\n`],
  ] as const) {
    it(`refuses a larger upload ${framing} with 413`, () =>
      withProxy({ bodySizeLimit: 10 }, async ({ origin, client: connect, over, hooks }) => {
        const client = await connect();
        await client.send(`POST http://${origin.host}/ HTTP/1.1\r\nHost: x\r\n${field}\r\n\r\n${wire}`);
        expect(await client.head()).toMatch(/^HTTP\/1.1 413 /);
        expect((await client.rest()).toString()).toMatch(/^BODY_TOO_LARGE: .*bodySizeLimit, 10 octets/);
        const { error, request } = await over();
        expect(error?.code).toBe('BODY_TOO_LARGE');
        expect(request.complete).toBe(false);
        expect(origin.connections.length).toBe(0);
        expect(hooks).toEqual(['requestHeaders', 'error']);
      }));

    it(`answers 502 for a larger response ${framing}`, () =>
      withProxy({ bodySizeLimit: 10 }, async ({ exchange, over, hooks }) => {
        const { client, upstream } = await exchange(GET);
        await upstream.send(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n${wire}`);
        expect(await client.head()).toMatch(/^HTTP\/1.1 502 /);
        const { error, response } = await over();
        expect(error?.code).toBe('BODY_TOO_LARGE');
        expect(response?.complete).toBe(false);
        await upstream.ending;
        expect(hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'error']);
      }));
  }

  it('lets a body of exactly that size through, and any that is streamed', () =>
    withProxy({ bodySizeLimit: 10 }, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { response: true });
      const { client, upstream } = await exchange(`${POST}\r\nContent-Length: 10`, 'x'.repeat(10));
      await upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n${'y'.repeat(11)}`);
      await client.head();
      await client.read(11);
      expect((await over()).error).toBeUndefined();
    }));

  it('does not ask for an upload that states to be larger', () =>
    withProxy({ bodySizeLimit: 10 }, async ({ origin, client: connect, over }) => {
      const client = await connect();
      const head = `POST http://${origin.host}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue`;
      await client.send(`${head}\r\n\r\n`);
      expect(await client.head()).toMatch(/^HTTP\/1.1 413 /);
      expect((await over()).error?.code).toBe('BODY_TOO_LARGE');
    }));
});

describe('Expect: 100-continue', () => {
  const EXPECT = `${POST}\r\nContent-Length: 3\r\nExpect: 100-continue`;

  it('goes end to end for a streamed request', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**', { request: true });
      const { client, upstream, head } = await exchange(EXPECT);
      expect(head).toMatch(/\r\nExpect: 100-continue\r\n/);
      expect(client.total).toBe(0);
      await upstream.send('HTTP/1.1 100 Go on\r\nX-Hint: 1\r\n\r\n');
      expect(await client.head()).toBe('HTTP/1.1 100 Go on\r\nX-Hint: 1\r\n\r\n');
      await client.send('abc');
      expect((await upstream.read(3)).toString()).toBe('abc');
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      await client.head();
      const { informational } = await over();
      expect(informational.map(({ status, headers }) => [status, headers.get('x-hint')])).toEqual([
        [100, '1'],
      ]);
    }));

  it("is answered by the proxy for a recorded request, and the origin's own 100 is swallowed", () =>
    withProxy({}, async ({ origin, client: connect, over }) => {
      const client = await connect();
      await client.send(`${EXPECT.replaceAll('{origin}', origin.host)}\r\n\r\n`);
      expect(await client.head()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      await client.send('abc');
      const upstream = await origin.accept();
      expect(await upstream.head()).not.toMatch(/expect/i);
      await upstream.read(3);
      await upstream.send('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n');
      expect(await client.head()).toMatch(/^HTTP\/1.1 204/);
      const { informational } = await over();
      expect(informational.map(({ status }) => status)).toEqual([100]);
    }));

  it('with a final status instead: the client connection goes on only after the rest of the body', () =>
    withProxy({}, async ({ proxy, origin, exchange, over }) => {
      proxy.stream('**', { request: true });
      const { client, upstream } = await exchange(EXPECT);
      await upstream.send('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n');
      expect(await client.head()).toMatch(/^HTTP\/1.1 417 No\r\n/);
      await client.send('abc', `GET http://${origin.host}/b HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect((await upstream.read(3)).toString()).toBe('abc');
      expect((await over()).error).toBeUndefined();
      expect(await upstream.head()).toMatch(/^GET \/b /);
    }));
});

describe('interim responses', () => {
  it('are relayed as they come and recorded', () =>
    withProxy({}, async ({ exchange, over }) => {
      const { client, upstream } = await exchange(GET);
      for (const head of [
        'HTTP/1.1 102 Processing\r\n\r\n',
        'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\n\r\n',
      ]) {
        await upstream.send(head);
        expect(await client.head()).toBe(head);
      }
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
      expect(await client.head()).toMatch(/^HTTP\/1.1 200 OK/);
      const { informational, response } = await over();
      expect(informational.map(({ status }) => status)).toEqual([102, 103]);
      expect(informational[1]?.headers.getAll('link')).toEqual(['</a>', '</b>']);
      expect(response?.status).toBe(200);
    }));

  it('are kept from a 1.0 client', () =>
    withProxy({}, async ({ exchange }) => {
      const { client, upstream } = await exchange('GET http://{origin}/ HTTP/1.0');
      await upstream.send('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      expect(await client.head()).toMatch(/200 OK/);
    }));
});

describe('a message without a body', () => {
  for (const [what, request, response] of [
    [
      'the answer to HEAD',
      'HEAD http://{origin}/ HTTP/1.1\r\nHost: x',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    ],
    ['204', GET, 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304', GET, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "1"\r\n\r\n'],
    ['Content-Length 0', GET, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ] as const) {
    it(`${what} ignores stream and is recorded as empty`, () =>
      withProxy({}, async ({ proxy, exchange, over, origin }) => {
        const transform = async function* (pieces: AsyncIterable<Buffer>) {
          yield 'never';
          yield* pieces;
        };
        proxy.stream('**', { request: transform, response: transform });
        proxy.on('responseHeaders', ({ response }) => {
          response.stream = transform;
        });
        const { client, upstream } = await exchange(request);
        await upstream.send(response);
        expect(await client.head()).toBe(response);
        const flow = await over();
        for (const message of [flow.request, flow.response]) {
          expect(message?.bodyStatus).toBe('recorded');
          expect(message?.complete).toBe(true);
          expect(message?.body.length).toBe(0);
          expect(message?.transfer.received.pieces.sizes()).toEqual([]);
          expect(message?.transfer.sent.sha256).toBe(sha256(''));
        }
        // Nothing was left between the messages: the next one comes through.
        await client.send(`GET http://${origin.host}/b HTTP/1.1\r\nHost: x\r\n\r\n`);
        expect(await upstream.head()).toMatch(/^GET \/b /);
      }));
  }

  it('a request with Content-Length 0 ignores it too', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream, head } = await exchange(`${POST}\r\nContent-Length: 0`);
      expect(head).toMatch(/\r\nContent-Length: 0\r\n/);
      await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
      await client.head();
      expect((await over()).request.bodyStatus).toBe('recorded');
    }));
});

describe('edits of a streamed message', () => {
  it('of the body change nothing, headers included, and warn with the hook', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      proxy.on('requestHeaders', ({ request }) => {
        request.stream = true;
      });
      proxy.on('request', ({ request }) => {
        request.body = 'edited';
      });
      proxy.on('response', ({ response }) => {
        response.body = 'edited and longer';
      });
      const { client, upstream, head } = await exchange(`${POST}\r\nContent-Length: 3`, 'abc');
      expect(head).toMatch(/\r\nContent-Length: 3\r\n/);
      expect((await upstream.read(3)).toString()).toBe('abc');
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      expect(await client.head()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
      expect((await client.read(5)).toString()).toBe('hello');
      const { warnings, request, response, error } = await over();
      expect(error).toBeUndefined();
      expect(warnings).toHaveLength(2);
      expect(warnings[0]).toMatch(/^request\.body .*no effect.*\(in the request hook\)$/);
      expect(warnings[1]).toMatch(/^response\.body .*no effect.*\(in the response hook\)$/);
      expect(request.body.length + (response?.body.length ?? 0)).toBe(0);
      expect(response?.headers.get('content-length')).toBe('5');
    }));

  it('of the body in responseHeaders, once stream is set, warn too', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.on('responseHeaders', ({ response }) => {
        response.stream = true;
        response.body = 'edited';
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      expect(await client.head()).toMatch(/Content-Length: 5\r\n/);
      expect((await client.read(5)).toString()).toBe('hello');
      const { warnings, response } = await over();
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/responseHeaders hook/);
      expect(response?.body.length).toBe(0);
    }));

  it('of a body that has not come warn: what comes would overwrite them', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.on('responseHeaders', ({ response }) => {
        response.body = 'edited';
      });
      const { client, upstream } = await exchange(GET);
      const wire = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n';
      await upstream.send(wire);
      expect((await client.read('0\r\n\r\n')).toString()).toBe(wire);
      const { warnings, response } = await over();
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/before the body had come.*responseHeaders hook/);
      expect(response?.text()).toBe('ab');
    }));

  it('do work where stream was set but there is no body to stream', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.on('responseHeaders', ({ response }) => {
        response.stream = true;
      });
      proxy.on('response', ({ response }) => {
        response.body = 'edited';
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      expect(await client.head()).toMatch(/Content-Length: 6\r\n/);
      expect((await client.read(6)).toString()).toBe('edited');
      expect((await over()).warnings).toEqual([]);
    }));

  it('of the head work in responseHeaders, and warn in response', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      proxy.on('responseHeaders', ({ response }) => {
        response.headers.set('X-Early', '1');
        response.status = 201;
      });
      proxy.on('response', ({ response }) => {
        response.headers.set('X-Late', '1');
        response.status = 500;
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      expect(await client.head()).toBe('HTTP/1.1 201 OK\r\nContent-Length: 5\r\nX-Early: 1\r\n\r\n');
      const { warnings, response } = await over();
      expect(warnings).toHaveLength(2);
      expect(warnings[0]).toMatch(
        /^response\.headers .*edit it in responseHeaders \(in the response hook\)$/,
      );
      expect(warnings[1]).toMatch(/^response\.status /);
      expect(response?.headers.has('x-late')).toBe(false);
      expect(response?.status).toBe(201);
    }));

  it('that add trailers to one without chunks warn', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      proxy.on('response', ({ response }) => {
        response.trailers = new Map([['X-Sum', '1']]) as unknown as typeof response.trailers;
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      await client.head();
      await client.read(5);
      const { warnings } = await over();
      expect(client.unread.length).toBe(0);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/^response\.trailers/);
    }));

  it('respond() after the head was sent only warns', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      proxy.on('response', (flow) => flow.respond({ status: 500 }));
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      expect(await client.head()).toMatch(/^HTTP\/1.1 200/);
      const { warnings, response } = await over();
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/respond\(\)/);
      expect(response?.status).toBe(200);
    }));
});

describe('edits of a recorded message', () => {
  it('replace the body and fix Content-Length; chunked stays chunked', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.on('request', ({ request }) => {
        request.body = 'longer than before';
      });
      proxy.on('response', ({ response }) => {
        response.body = 'edited';
      });
      const { client, upstream, head } = await exchange(`${POST}\r\nContent-Length: 3`, 'abc');
      expect(head).toMatch(/\r\nContent-Length: 18\r\n/);
      expect((await upstream.read(18)).toString()).toBe('longer than before');
      await upstream.send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n1\r\nb\r\n0\r\n\r\n',
      );
      await client.head();
      expect((await client.read('0\r\n\r\n')).toString()).toBe('6\r\nedited\r\n0\r\n\r\n');
      const { request, response } = await over();
      expect(request.transfer.received.bytes).toBe(3);
      expect(request.transfer.sent.bytes).toBe(18);
      expect(response?.transfer.received.pieces.sizes()).toEqual([1, 1]);
      expect(response?.transfer.sent.pieces.sizes()).toEqual([6]);
      expect(response?.transfer.received.sha256).toBe(sha256('ab'));
      expect(response?.transfer.sent.sha256).toBe(sha256('edited'));
    }));

  it('that add trailers turn Content-Length into chunks', () =>
    withProxy({}, async ({ proxy, exchange }) => {
      proxy.on('response', ({ response }) => {
        response.trailers = new Map([['X-Sum', '1']]) as unknown as typeof response.trailers;
      });
      const { client, upstream } = await exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
      expect(await client.head()).toBe('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      expect((await client.read('\r\n\r\n')).toString()).toBe('5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n');
    }));

  it('of a hook that is asynchronous hold the message back, not the connection', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.on('responseHeaders', async ({ response }) => {
        await new Promise((resolve) => setImmediate(resolve));
        response.stream = true;
      });
      const { client, upstream } = await exchange(GET);
      const body = octets(100_000);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n', body);
      await client.head();
      expect((await client.read(100_000)).equals(body)).toBe(true);
      expect((await over()).response?.bodyStatus).toBe('streamed');
    }));
});
