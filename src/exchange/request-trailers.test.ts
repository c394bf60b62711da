import { describe, expect, it } from '@jest/globals';
import { answerOf, openHttp2 } from '../testing/http2.js';
import { withProxy } from '../testing/with-proxy.js';

const BODY = '5\r\nhello\r\n';
const SECRET = 'Basic bWU6c2VjcmV0';

for (const streamed of [false, true]) {
  describe(`trailers of a request that is ${streamed ? 'streamed' : 'recorded'}`, () => {
    const send = (trailers: string, expected: string, sums: string[] | undefined) =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**', streamed);
        const { client, upstream } = await exchange(
          'POST http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nTransfer-Encoding: chunked',
          `${BODY}0;ext\r\n${trailers}\r\n`,
        );
        const wire = `${BODY}0;ext\r\n${expected}\r\n`;
        expect((await upstream.read(wire.length)).toString()).toBe(wire);
        await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
        await client.head();
        const { request } = await over();
        expect(upstream.unread).toHaveLength(0);
        expect(request.trailers?.getAll('x-sum')).toEqual(sums);
        expect(request.trailers?.has('proxy-authorization') ?? false).toBe(false);
      });

    it('lose what is for this proxy, and keep the others as they came', () =>
      send(
        `x-sum: 1\r\nPROXY-Authorization: ${SECRET}\r\nX-Sum:2\r\nProxy-Connection: close\r\n`,
        'x-sum: 1\r\nX-Sum:2\r\n',
        ['1', '2'],
      ));

    it('are none where all of them are for this proxy', () =>
      send(`Proxy-Authorization: ${SECRET}\r\n`, '', undefined));

    it('of HTTP/2 lose it too', () =>
      withProxy({}, async (stage) => {
        stage.proxy.stream('**', streamed);
        stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
        const session = await openHttp2(stage, 'app.test:443', { name: 'app.test' });
        const stream = session.request(
          { ':method': 'POST', ':authority': 'app.test' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'proxy-authorization': SECRET, 'x-sum': '1' }));
        const answer = answerOf(stream);
        stream.end('hello');
        const upstream = await stage.origin.accept();
        await upstream.head();
        const wire = `${BODY}0\r\nx-sum: 1\r\n\r\n`;
        expect((await upstream.read(wire.length)).toString()).toBe(wire);
        await upstream.send('HTTP/1.1 204 No Content\r\n\r\n');
        await answer;
        expect((await stage.over()).request.trailers?.has('proxy-authorization')).toBe(false);
      }));
  });
}
