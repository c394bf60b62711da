import { describe, expect, it } from '@jest/globals';
import { type Stage, withProxy } from './testing/with-proxy.js';

/** One exchange, from head to head; bodies are given as they are on the wire. */
async function passes(
  stage: Stage,
  request: { head: string; body?: string; sent?: { head: string; body?: string } },
  response: { head: string; body?: string; sent?: { head: string; body?: string } },
): Promise<void> {
  const withOrigin = (text: string) => text.replaceAll('{origin}', stage.origin.host);
  const { client, upstream, head } = await stage.exchange(request.head, request.body);
  const wanted = request.sent ?? request;
  expect(head).toBe(`${withOrigin(wanted.head).replace(/ http:\/\/[^/ ]*/, ' ')}\r\n\r\n`);
  const body = wanted.body ?? '';
  expect((await upstream.read(body.length)).toString('latin1')).toBe(body);
  await upstream.send(`${response.head}\r\n\r\n${response.body ?? ''}`);
  const answer = response.sent ?? response;
  const expected = `${answer.head}\r\n\r\n${answer.body ?? ''}`;
  expect((await client.read(expected.length)).toString('latin1')).toBe(expected);
  expect((await stage.over()).error).toBeUndefined();
  expect([upstream.unread.length, client.unread.length]).toEqual([0, 0]);
}

const OK = { head: 'HTTP/1.1 200 OK\r\nContent-Length: 2', body: 'ok' };
const GET = { head: 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}' };

describe('what goes through untouched', () => {
  it('heads leave octet for octet: order, case, duplicates, white space, reason phrase', () =>
    withProxy({}, (stage) =>
      passes(
        stage,
        {
          head: 'GET http://{origin}/a%20b?c=d&&e HTTP/1.1\r\nHOST:   {origin}  \r\nx-Dup: 1\r\nX-Tab:\tv\t\r\nX-dup:2\r\nEmpty:\r\nLatin: caf\xe9',
        },
        {
          head: 'HTTP/1.1 299 Odd  phrase,\tcaf\xe9 \r\nSET-cookie: a=1\r\nContent-Length:   5 \r\nset-Cookie: b=2\r\nX-Empty: ',
          body: 'hello',
        },
      ),
    ));

  it('an empty reason phrase stays empty', () =>
    withProxy({}, (stage) => passes(stage, GET, { head: 'HTTP/1.1 200 \r\nContent-Length: 0' })));

  it('chunks keep their sizes, spelling and extensions, and trailers follow', () =>
    withProxy({}, async (stage) => {
      const body = `5;a=b\r\nhello\r\n003 ; q="x;y"\r\nabc\r\nA\r\n0123456789\r\n0;last\r\nX-T: 1\r\nx-t:2 \r\n\r\n`;
      const fields = '\r\nTransfer-Encoding:  Chunked\r\nTrailer: X-T';
      await passes(
        stage,
        { head: `POST http://{origin}/up HTTP/1.1\r\nHost: {origin}${fields}`, body },
        { head: `HTTP/1.1 200 OK${fields}`, body },
      );
      const { request, response } = await stage.over();
      expect(request.text()).toBe('helloabc0123456789');
      expect(request.transfer.sent.pieces.sizes()).toEqual([5, 3, 10]);
      expect(response?.trailers?.getAll('x-t')).toEqual(['1', '2']);
    }));

  for (const method of ['GET', 'DELETE', 'OPTIONS', 'PROPFIND', 'm-search']) {
    it(`a body on ${method}`, () =>
      withProxy({}, (stage) =>
        passes(
          stage,
          {
            head: `${method} http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 4`,
            body: 'body',
          },
          OK,
        ),
      ));
  }

  it('HEAD, 204 and 304 have no body, whatever their fields say', async () => {
    const bodiless: [string, string][] = [
      ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000'],
      ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked'],
      ['HEAD', 'HTTP/1.1 200 OK'],
      ['GET', 'HTTP/1.1 204 No Content'],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000'],
    ];
    for (const [method, head] of bodiless) {
      await withProxy({ streamLargeBodies: 0 }, async (stage) => {
        await passes(stage, { head: `${method} http://{origin}/ HTTP/1.1\r\nHost: {origin}` }, { head });
        const { response } = await stage.over();
        expect(response?.bodyStatus).toBe('recorded');
        expect(response?.body).toHaveLength(0);
      });
    }
  });

  it('an origin sees what it would see without a proxy', () =>
    withProxy({}, (stage) =>
      passes(
        stage,
        {
          head: 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nPROXY-Thing: 1\r\nTE: trailers\r\nKeep-Alive: timeout=9\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA',
          sent: {
            head: 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: keep-alive\r\nTE: trailers\r\nKeep-Alive: timeout=9',
          },
        },
        OK,
      ),
    ));

  it('h2c goes out of Upgrade and Connection, and leaves the others in them', () =>
    withProxy({}, (stage) =>
      passes(
        stage,
        {
          head: 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: Upgrade, HTTP2-Settings, X-Hop\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AAMA',
          sent: {
            head: 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: Upgrade, X-Hop\r\nUpgrade: websocket',
          },
        },
        OK,
      ),
    ));
});

describe('HTTP/1.0', () => {
  const old = { head: 'GET http://{origin}/ HTTP/1.0' };

  it('a 1.0 request leaves as one, and its connection is closed after the response', () =>
    withProxy({}, async (stage) => {
      const { client, upstream, head } = await stage.exchange(old.head);
      expect(head).toBe('GET / HTTP/1.0\r\n\r\n');
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      expect((await client.rest()).toString()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      expect(client.ended).toBe('fin');
      expect((await stage.over()).request.url).toBe(`http://${stage.origin.host}/`);
    }));

  it('a 1.0 client never gets chunks or interim responses', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange(old.head);
      await upstream.send('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
      await upstream.send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n',
      );
      expect((await client.rest()).toString()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok!');
      expect((await stage.over()).informational.map(({ status }) => status)).toEqual([103]);
    }));

  it('a 1.0 client that asks for it keeps its connection', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange(`${old.head}\r\nConnection: keep-alive`);
      const answer = 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok';
      await upstream.send(answer);
      await client.read(answer.length);
      await client.send(`GET http://${stage.origin.host}/2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`);
      expect(await upstream.head()).toBe('GET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    }));

  it("a 1.0 origin's body ends with its connection, and so does the client's", () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange(GET.head);
      await upstream.send('HTTP/1.0 200 OK\r\n\r\nto the end');
      upstream.end();
      expect((await client.rest()).toString()).toBe('HTTP/1.0 200 OK\r\n\r\nto the end');
      expect((await stage.over()).response?.complete).toBe(true);
    }));
});
