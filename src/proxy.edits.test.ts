import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { HeaderList } from './flow/types.js';
import { RawOrigin } from './testing/raw-peer.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const GET = 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** One exchange with `OK`, and what the client got. */
async function goes(stage: Stage, head = GET, body = '', response: string | Buffer = OK) {
  const { client, upstream, head: received } = await stage.exchange(head, body);
  await upstream.send(response);
  const answer = await client.head();
  const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
  return { received, upstream, client, answer, body: await client.read(length) };
}

/** An object will do, but the type of what is read is that of what is assigned. */
const trailers = (fields: Record<string, string | string[]>) => fields as unknown as HeaderList;

describe('edits', () => {
  it('of the method, path and fields', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.method = 'POST';
        request.path = '/other?x=1';
        request.headers.set('X-One', ['a', 'b']);
        request.headers.delete('x-gone');
      });
      const { received } = await goes(stage, `${GET}\r\nx-GONE: 1\r\nX-one: z\r\nKept:   as is`);
      expect(received).toBe(
        `POST /other?x=1 HTTP/1.1\r\nHost: ${stage.origin.host}\r\nX-One: a\r\nX-One: b\r\nKept:   as is\r\n\r\n`,
      );
    }));

  it('of the URL re-route, and rewrite Host', () =>
    withProxy({}, async (stage) => {
      const other = await RawOrigin.listen();
      try {
        stage.proxy.on('requestHeaders', ({ request }) => {
          request.url = `http://${other.host}/there#fragment`;
        });
        const client = await stage.client();
        await client.send('GET http://app.test/here HTTP/1.1\r\nHost: app.test\r\nX: 1\r\n\r\n');
        const upstream = await other.accept();
        expect(await upstream.head()).toBe(`GET /there HTTP/1.1\r\nHost: ${other.host}\r\nX: 1\r\n\r\n`);
        await upstream.send(OK);
        await client.read(OK.length);
        expect((await stage.over()).request.url).toBe(`http://${other.host}/there`);
      } finally {
        other.close();
      }
    }));

  it('of the status, reason and fields of a response', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('response', ({ response }) => {
        response.status = 418;
        response.statusText = "I'm a teapot";
        response.headers.append('X', '1');
      });
      const { answer } = await goes(stage);
      expect(answer).toBe("HTTP/1.1 418 I'm a teapot\r\nContent-Length: 2\r\nX: 1\r\n\r\n");
    }));

  it('of bodies fix Content-Length, both ways', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.body = 'much longer than it was';
      });
      stage.proxy.on('response', ({ response }) => {
        response.body = 'é';
      });
      const { received, upstream, answer, body } = await goes(stage, `${GET}\r\nContent-Length: 1`, 'x');
      expect(received).toContain('\r\nContent-Length: 23\r\n');
      expect((await upstream.read(23)).toString()).toBe('much longer than it was');
      expect(answer).toContain('\r\nContent-Length: 2\r\n');
      expect(body.toString()).toBe('é');
    }));

  it('give a body to a request that had none', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.body = 'new';
      });
      const { received, upstream } = await goes(stage);
      expect(received).toContain('Content-Length: 3\r\n');
      expect((await upstream.read(3)).toString()).toBe('new');
    }));

  it('that speak of a body where there is none are taken back', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.headers.set('Content-Length', '5');
        request.headers.set('Transfer-Encoding', 'chunked');
      });
      const { received } = await goes(stage);
      expect(received).not.toMatch(/Content-Length|Transfer-Encoding/);
    }));

  it('of encoded bodies are encoded again', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('response', ({ response }) => {
        response.body = response.text().toUpperCase();
      });
      const zipped = gzipSync('content');
      const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`;
      const { body } = await goes(stage, GET, '', Buffer.concat([Buffer.from(head), zipped]));
      expect(gunzipSync(body).toString()).toBe('CONTENT');
      const { response } = await stage.over();
      expect(response?.text()).toBe('CONTENT');
      expect(response?.transfer.received.decoded?.bytes).toBe(7);
      expect(response?.transfer.received.bytes).toBe(zipped.length);
    }));

  it('of a chunked body leave it chunked', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.body = 'changed';
      });
      stage.proxy.on('response', ({ response }) => response.trailers?.set('X-T', 'edited'));
      const { client, upstream, head } = await stage.exchange(
        `POST http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nTransfer-Encoding: chunked`,
        '1\r\na\r\n0\r\n\r\n',
      );
      expect(head).toContain('Transfer-Encoding: chunked');
      expect((await upstream.read('0\r\n\r\n')).toString()).toBe('7\r\nchanged\r\n0\r\n\r\n');
      const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: ';
      await upstream.send(`${chunked}1\r\n\r\n`);
      const expected = `${chunked}edited\r\n\r\n`;
      expect((await client.read(expected.length)).toString()).toBe(expected);
    }));

  it('that add trailers make a body chunked, both ways', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.trailers = trailers({ 'X-A': '1' });
      });
      stage.proxy.on('response', ({ response }) => {
        response.trailers = trailers({ 'X-T': ['1', '2'] });
      });
      const { client, upstream, head } = await stage.exchange(`${GET}\r\nContent-Length: 1`, 'x');
      expect(head).toContain('\r\nTransfer-Encoding: chunked\r\n');
      expect(head).not.toContain('Content-Length');
      expect((await upstream.read('\r\n\r\n')).toString()).toBe('1\r\nx\r\n0\r\nX-A: 1\r\n\r\n');
      await upstream.send(OK);
      expect((await client.read('2\r\n\r\n')).toString()).toBe(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\nX-T: 2\r\n\r\n',
      );
    }));

  for (const [status, head] of [
    [200, 'HTTP/1.1 204 No Content\r\n\r\n'],
    [200, 'HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n'],
  ] as const) {
    it(`of ${head.slice(9, 12)} to ${status} leave no client waiting for a body`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.on('response', ({ response }) => {
          response.status = status;
        });
        const { answer } = await goes(stage, GET, '', head);
        expect(answer).toContain('\r\nContent-Length: 0\r\n');
      }));
  }

  it('of the status to 204 take the body away', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('response', ({ response }) => {
        response.status = 204;
      });
      const { client, upstream } = await stage.exchange(GET);
      await upstream.send(OK);
      expect(await client.head()).toBe('HTTP/1.1 204 OK\r\n\r\n');
      expect((await stage.over()).warnings).toHaveLength(1);
    }));

  it('of the method between GET and HEAD leave the client with what it asked for', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', ({ request }) => {
        request.method = request.method === 'GET' ? 'HEAD' : 'GET';
      });
      const asHead = await stage.exchange(GET);
      expect(asHead.head).toContain('HEAD / ');
      await asHead.upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n');
      expect(await asHead.client.head()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      await asHead.client.send(
        `${GET.replace('GET', 'HEAD').replaceAll('{origin}', stage.origin.host)}\r\n\r\n`,
      );
      expect(await asHead.upstream.head()).toContain('GET / ');
      await asHead.upstream.send(OK);
      expect(await asHead.client.head()).toContain('200 OK');
      await stage.over(2);
      expect(asHead.client.unread).toHaveLength(0);
    }));

  it('that make no sense on the wire are refused where they are made', () =>
    withProxy({}, async (stage) => {
      const refused: string[] = [];
      const tries = (edit: () => unknown) => {
        try {
          edit();
          refused.push('accepted');
        } catch (error) {
          refused.push((error as { code: string }).code);
        }
      };
      stage.proxy.on('response', ({ request, response }) => {
        for (const edit of [
          () => response.headers.set('X', 'a\r\nb'),
          () => response.headers.set('X Y', 'a'),
          () => response.headers.append('X', 'a\0'),
          () => {
            response.status = 101;
          },
          () => {
            response.statusText = 'a\nb';
          },
          () => {
            request.method = 'GET /';
          },
          () => {
            request.url = '/relative';
          },
          () => {
            request.url = 'ftp://a.test/';
          },
          () => {
            request.path = 'a b';
          },
          () => {
            request.path = '/a#b';
          },
        ])
          tries(edit);
        tries(() => {
          response.body = 1 as never;
        });
      });
      await goes(stage);
      expect(refused).toEqual([...Array(10).fill('BAD_HEADER'), 'BAD_BODY']);
    }));

  it('that come too late change nothing and leave a warning', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('response', ({ request }) => {
        request.headers.set('X', '1');
        request.body = 'late';
      });
      await goes(stage);
      const { warnings, request } = await stage.over();
      expect(request.headers.has('x')).toBe(false);
      expect(warnings).toEqual([
        expect.stringMatching(/request\.headers .*no effect.*response hook/),
        expect.stringMatching(/request\.body .*no effect.*response hook/),
      ]);
    }));
});
