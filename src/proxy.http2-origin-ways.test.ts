import { describe, expect, it } from '@jest/globals';
import { type Handler, type Lines, linesOf, nameOf, onWay, valuesOf, WAYS } from './testing/http-versions.js';

/** Answers with what was received. */
const mirror: Handler = async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  const { method, url, httpVersion, rawHeaders, rawTrailers } = request;
  const seen = { method, url, httpVersion, headers: linesOf(rawHeaders), trailers: linesOf(rawTrailers) };
  response.end(JSON.stringify({ ...seen, body: body.toString('latin1') }));
};

interface Seen {
  method: string;
  url: string;
  httpVersion: string;
  headers: Lines;
  trailers: Lines;
  body: string;
}

for (const way of WAYS) {
  const version = { h1: '1.1', h2: '2.0' };
  describe(nameOf(way), () => {
    it('a request arrives with its fields', () =>
      onWay(way, mirror, {}, async ({ stage, authority, ask }) => {
        const hop = way.client === 'h1' ? { Connection: 'keep-alive, X-Hop, TE', 'X-Hop': '1' } : {};
        const { body } = await ask('/a?b=%20', {
          method: 'OPTIONS',
          headers: {
            ...hop,
            TE: 'trailers',
            'X-Repeated': ['one', 'two'],
            'X-Obs': 'caf\xe9 \xff',
            'X-Empty': '',
            constructor: 'is a name like any other',
            Cookie: way.client === 'h1' ? 'a=1; b=2' : ['a=1', 'b=2'],
            'User-Agent': 'test',
          },
        });
        const seen: Seen = JSON.parse(body.toString());
        expect(seen).toMatchObject({ method: 'OPTIONS', url: '/a?b=%20', body: '' });
        expect(seen.httpVersion).toBe(version[way.origin]);
        expect(valuesOf(seen.headers, way.origin === 'h1' ? 'host' : ':authority')).toEqual([authority]);
        if (way.origin === 'h2') {
          expect(valuesOf(seen.headers, 'host')).toEqual([]);
          expect(valuesOf(seen.headers, ':scheme')).toEqual([way.tls ? 'https' : 'http']);
        }
        const expected: Record<string, string[]> = {
          te: ['trailers'],
          'x-repeated': ['one', 'two'],
          'x-obs': ['caf\xe9 \xff'],
          'x-empty': [''],
          constructor: ['is a name like any other'],
          cookie: ['a=1; b=2'],
          'user-agent': ['test'],
          'x-hop': way.client === 'h1' && way.origin === 'h1' ? ['1'] : [],
        };
        for (const [name, values] of Object.entries(expected)) {
          expect([name, ...valuesOf(seen.headers, name)]).toEqual([name, ...values]);
        }
        const lower = seen.headers.every(([name]) => name === name.toLowerCase());
        expect(lower).toBe(way.client === 'h2' || way.origin === 'h2');
        const flow = await stage.over();
        expect(flow.request.httpVersion).toBe(version[way.client]);
        expect(flow.request.headers.get('x-obs')).toBe('caf\xe9 \xff');
        expect(flow.request.headers.get('host')).toBe(authority);
        expect(flow.request.url).toBe(`${way.tls ? 'https' : 'http'}://${authority}/a?b=%20`);
        expect(flow.response?.httpVersion).toBe(version[way.origin]);
      }));

    it('a response arrives with its fields', () => {
      const handler: Handler = (_request, response) => {
        response.setHeader('Set-Cookie', ['a=1', 'b=2']);
        response.setHeader('X-Obs', 'caf\xe9');
        response.setHeader('ETag', '"x"');
        response.statusCode = 418;
        if (way.origin === 'h1') {
          Object.assign(response, { statusMessage: 'Short and stout' });
          response.setHeader('Connection', 'keep-alive, X-Hop');
          response.setHeader('X-Hop', '1');
        }
        // With a text, Node writes the head as UTF-8, too.
        response.end(Buffer.from('tea'));
      };
      return onWay(way, handler, {}, async ({ stage, ask }) => {
        const { status, statusText, headers, body } = await ask('/');
        expect([status, body.toString()]).toEqual([418, 'tea']);
        expect(valuesOf(headers, 'set-cookie')).toEqual(['a=1', 'b=2']);
        expect(valuesOf(headers, 'x-obs')).toEqual(['caf\xe9']);
        expect(valuesOf(headers, 'etag')).toEqual(['"x"']);
        // The origin's own, not one of node:http2's.
        expect(valuesOf(headers, 'date')).toEqual([(await stage.over()).response?.headers.get('date')]);
        const verbatim = way.client === 'h1' && way.origin === 'h1';
        expect(valuesOf(headers, 'x-hop')).toEqual(verbatim ? ['1'] : []);
        expect(statusText).toBe(verbatim ? 'Short and stout' : '');
        expect((await stage.over()).response?.statusText).toBe(way.origin === 'h1' ? 'Short and stout' : '');
      });
    });

    it('responses without a body keep the fields that speak of one', () => {
      const handler: Handler = (request, response) => {
        response.statusCode = Number(request.url?.slice(1));
        if (request.method === 'HEAD') response.setHeader('Content-Length', '1234');
        else if (response.statusCode === 200) response.setHeader('Content-Length', '0');
        if (response.statusCode === 304) response.setHeader('ETag', '"x"');
        response.end();
      };
      return onWay(way, handler, {}, async ({ stage, ask }) => {
        stage.proxy.stream('**', { request: true, response: true });
        for (const [method, path, length] of [
          ['HEAD', '/200', '1234'],
          ['GET', '/200', '0'],
          ['GET', '/204', undefined],
          ['GET', '/304', undefined],
        ] as const) {
          const { status, headers, body } = await ask(path, { method });
          expect([status, body.length]).toEqual([Number(path.slice(1)), 0]);
          expect(valuesOf(headers, 'content-length')).toEqual(length === undefined ? [] : [length]);
          expect(valuesOf(headers, 'transfer-encoding')).toEqual([]);
          if (status === 304) expect(valuesOf(headers, 'etag')).toEqual(['"x"']);
        }
        expect(stage.proxy.flows.map(({ error, warnings }) => [error, warnings])).toEqual(
          Array(4).fill([undefined, []]),
        );
      });
    });

    it('interim responses come before the final one', () => {
      const handler: Handler = (request, response) => {
        response.writeEarlyHints({ link: '</a.css>; rel=preload' });
        if (request.headers.expect === '100-continue') response.writeContinue();
        request.resume().on('end', () => response.end('done'));
      };
      return onWay(way, handler, {}, async ({ stage, ask }) => {
        stage.proxy.stream('**/streamed', { request: true });
        const hints = { status: 103, link: '</a.css>; rel=preload' };
        const plain = await ask('/');
        expect(plain).toMatchObject({ status: 200, informational: [hints] });
        const streamed = await ask('/streamed', {
          method: 'POST',
          headers: { Expect: '100-continue', 'Content-Length': '4' },
          // Not a single octet before the origin wants it.
          send: (to) => to.once('continue', () => to.end('body')),
        });
        expect(streamed.body.toString()).toBe('done');
        const shown = streamed.informational.filter(({ status }) => status !== 100);
        expect(shown).toEqual([hints]);
        const { informational } = await stage.over(2);
        expect(informational.map(({ status }) => status)).toEqual([103, 100]);
        // The proxy wants a body that it records, and asks for it itself.
        const recorded = await ask('/recorded', {
          method: 'POST',
          headers: { Expect: '100-continue', 'Content-Length': '4' },
          send: (to) => to.once('continue', () => to.end('body')),
        });
        expect(recorded.body.toString()).toBe('done');
        expect((await stage.over(3)).request.text()).toBe('body');
      });
    });

    for (const streamed of [false, true]) {
      it(`trailers pass both ways, ${streamed ? 'streamed' : 'recorded'}, and can be edited until they go`, () => {
        const handler: Handler = async (request, response) => {
          const body = Buffer.concat(await request.toArray());
          response.setHeader('Trailer', 'X-Sum');
          response.write(body);
          response.addTrailers({ 'X-Sum': linesOf(request.rawTrailers).join(';') });
          response.end();
        };
        return onWay(way, handler, {}, async ({ stage, ask }) => {
          if (streamed) stage.proxy.stream('**', { request: true, response: true });
          const question = {
            method: 'POST',
            headers: { Trailer: 'X-Check' },
            trailers: { 'X-Check': 'one' },
            send: (to: { write(text: string): void; end(): void }) => {
              to.write('body');
              to.end();
            },
          };
          const plain = await ask('/', question);
          const name = (written: string, speaks: string) =>
            speaks === 'h1' ? written : written.toLowerCase();
          const atOrigin = way.client === 'h2' || way.origin === 'h2' ? 'x-check' : 'X-Check';
          expect(plain.body.toString()).toBe('body');
          expect(plain.trailers).toEqual([
            [way.client === 'h2' || way.origin === 'h2' ? 'x-sum' : 'X-Sum', `${atOrigin},one`],
          ]);
          const flow = await stage.over();
          expect(flow.request.trailers?.get('x-check')).toBe('one');
          expect(flow.response?.trailers?.get('x-sum')).toBe(`${atOrigin},one`);
          expect(flow.request.bodyStatus).toBe(streamed ? 'streamed' : 'recorded');
          stage.proxy.on('request', ({ request }) => {
            request.trailers = { 'X-Check': 'two' };
          });
          stage.proxy.on('response', async ({ response }) => {
            await new Promise(setImmediate);
            if (response !== undefined) response.trailers = { 'X-More': 'three' };
          });
          const edited = await ask('/', question);
          expect(edited.trailers).toEqual([[name('X-More', way.client), 'three']]);
          expect((await stage.over(2)).warnings).toEqual([]);
        });
      });
    }

    it('lengths are stated where they were, and where HTTP/1 needs them', () => {
      const handler: Handler = async (request, response) => {
        const body = Buffer.concat(await request.toArray());
        const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
        const told = `${length ?? '-'} ${coding ?? '-'} ${body.length}`;
        if (request.url?.endsWith('stated')) response.setHeader('Content-Length', told.length);
        else response.write('');
        if (request.url?.endsWith('unknown')) response.flushHeaders();
        response.end(told);
      };
      return onWay(way, handler, {}, async ({ stage, ask }) => {
        stage.proxy.stream('**/s/**', { request: true, response: true });
        const send = (to: { write(text: string): void; end(): void }) => {
          to.write('12');
          to.write('345');
          to.end();
        };
        for (const path of ['/', '/s/']) {
          const stated = await ask(`${path}stated`, {
            method: 'POST',
            headers: { 'Content-Length': '5' },
            send,
          });
          expect(stated.body.toString()).toBe('5 - 5');
          expect(valuesOf(stated.headers, 'content-length')).toEqual(['5']);
          const unknown = await ask(`${path}unknown`, { method: 'POST', send });
          const known = path === '/' && way.client === 'h2' && way.origin === 'h1';
          expect(unknown.body.toString()).toBe(
            way.origin === 'h2' ? '- - 5' : known ? '5 - 5' : '- chunked 5',
          );
          // A recorded body of HTTP/2 has a length for HTTP/1.
          const told = path === '/' && way.client === 'h1' && way.origin === 'h2';
          expect(valuesOf(unknown.headers, 'content-length')).toHaveLength(told ? 1 : 0);
        }
        const none = await ask('/unknown', { method: 'DELETE' });
        const head = await ask('/unknown', { method: 'POST', headers: { 'Content-Length': '0' } });
        expect([none.body.toString(), head.body.toString()]).toEqual(['- - 0', '0 - 0']);
      });
    });
  });
}

describe('trailers after a body whose length was stated', () => {
  const handler: Handler = async (request, response) => {
    await request.toArray();
    response.setHeader('Content-Length', '4');
    if (request.httpVersion === '2.0') response.addTrailers({ 'x-sum': 'one' });
    response.end('body');
  };
  const question = {
    method: 'POST',
    headers: { 'Content-Length': '4' },
    send: (to: { end(text: string): void }) => to.end('body'),
  };

  it('get lost where a stream goes on in HTTP/1, and the flow says so', async () => {
    await onWay({ client: 'h1', origin: 'h2', tls: true }, handler, {}, async ({ stage, ask }) => {
      stage.proxy.stream('**');
      expect((await ask('/', question)).trailers).toEqual([]);
      const { warnings, response } = await stage.over();
      expect(response?.trailers?.get('x-sum')).toBe('one');
      expect(warnings).toEqual([expect.stringMatching(/^response\.trailers are not sent on/)]);
    });
    await onWay({ client: 'h2', origin: 'h1', tls: false }, handler, {}, async ({ stage, ask }) => {
      stage.proxy.stream('**', { request: true });
      await ask('/', { ...question, trailers: { 'x-check': 'one' } });
      const { warnings, request } = await stage.over();
      expect(request.trailers?.get('x-check')).toBe('one');
      expect(warnings).toEqual([expect.stringMatching(/^request\.trailers are not sent on/)]);
    });
  });

  it('make it chunked where it is recorded', () =>
    onWay({ client: 'h1', origin: 'h2', tls: true }, handler, {}, async ({ stage, ask }) => {
      const { trailers, headers } = await ask('/', question);
      expect(trailers).toEqual([['x-sum', 'one']]);
      expect(valuesOf(headers, 'transfer-encoding')).toEqual(['chunked']);
      expect((await stage.over()).warnings).toEqual([]);
    }));
});
