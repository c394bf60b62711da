import { describe, expect, it } from '@jest/globals';
import { type Stage, withProxy } from './testing/with-proxy.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Asks for a path of `app.test`, on a connection of its own. */
async function asks(stage: Stage, line = 'GET /', fields = '', body = ''): Promise<string> {
  const client = await stage.client();
  const [method, path] = line.split(' ');
  await client.send(
    `${method} http://app.test${path} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n${fields}\r\n${body}`,
  );
  return (await client.rest()).toString();
}

const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4);

describe('proxy.respond()', () => {
  it('the newest rule that matches answers, and disposing of it brings back the one before', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'any' });
      const rule = stage.proxy.respond({ path: '/api/*' }, { body: 'api' });
      expect(bodyOf(await asks(stage, 'GET /api/x'))).toBe('api');
      expect(bodyOf(await asks(stage, 'GET /other'))).toBe('any');
      rule.dispose();
      expect(bodyOf(await asks(stage, 'GET /api/x'))).toBe('any');
    }));

  it('times: so often, then the next rule', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'after' });
      stage.proxy.respond('**', { body: 'twice' }, { times: 2 });
      const all = [];
      for (let i = 0; i < 3; i++) all.push(bodyOf(await asks(stage)));
      expect(all).toEqual(['twice', 'twice', 'after']);
    }));

  it('a function answers by what it sees, and leaves what it does not answer to others', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'other' });
      stage.proxy.respond(
        '**',
        async (flow) => {
          await new Promise((resolve) => setImmediate(resolve));
          return flow.request.method === 'PUT' ? { body: `put ${flow.request.text()}` } : undefined;
        },
        { times: 1 },
      );
      expect(bodyOf(await asks(stage))).toBe('other');
      expect(bodyOf(await asks(stage, 'PUT /', 'Content-Length: 1\r\n', 'x'))).toBe('put x');
      expect(bodyOf(await asks(stage, 'PUT /', 'Content-Length: 1\r\n', 'y'))).toBe('other');
    }));

  it('an answer without a body has no fields that speak of one', () =>
    withProxy({}, async (stage) => {
      async function* nothing() {
        yield 'x';
      }
      for (const init of [{ path: 'package.json' }, { body: nothing() }, { json: {} }]) {
        const rule = stage.proxy.respond('**', { status: 204, ...init });
        expect(await asks(stage)).not.toMatch(/content-length|transfer-encoding/i);
        rule.dispose();
      }
    }));

  it('json matches the body of the request', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { body: 'no' });
      stage.proxy.respond({ json: { user: { id: expect.any(Number) } } }, { body: 'yes' });
      const post = (json: unknown) =>
        asks(stage, 'POST /', `Content-Length: ${JSON.stringify(json).length}\r\n`, JSON.stringify(json));
      expect(bodyOf(await post({ user: { id: 7, name: 'x' }, more: 1 }))).toBe('yes');
      expect(bodyOf(await post({ user: { id: '7' } }))).toBe('no');
      expect(bodyOf(await asks(stage))).toBe('no');
    }));

  it('what a function or predicate throws ends the flow, and fails the test', () =>
    withProxy({}, async (stage) => {
      const rule = stage.proxy.respond('**', () => {
        throw new Error('from the answer');
      });
      expect(await asks(stage)).toContain('502 Bad Gateway');
      expect((await stage.over()).error?.code).toBe('RULE_FAILED');
      await expect(stage.proxy.verify()).rejects.toThrow('from the answer');
      rule.dispose();
      stage.proxy.respond(() => Promise.reject(new Error('from the match')), {});
      expect(await asks(stage)).toContain('502 Bad Gateway');
      await expect(stage.proxy.verify()).rejects.toThrow('from the match');
      stage.proxy.respond('**', () => ({ status: 1 }));
      expect(await asks(stage)).toContain('502 Bad Gateway');
      await expect(stage.proxy.verify()).rejects.toMatchObject({ code: 'BAD_RESPONSE' });
    }));
});

describe('CORS preflights', () => {
  const preflight = (method: string, more = '') =>
    `Origin: https://page.test\r\nAccess-Control-Request-Method: ${method}\r\n${more}`;

  it('of what a rule answers are answered too, whatever the rule asks of body and fields', () =>
    withProxy({}, async (stage) => {
      const match = { method: 'PUT', path: '/api', json: { a: 1 }, headers: { 'x-key': 'k' } };
      stage.proxy.respond(match, { json: {} }, { times: 1 });
      const asked = preflight('PUT', 'Access-Control-Request-Headers: x-key, content-type\r\n');
      const answer = await asks(stage, 'OPTIONS /api', asked);
      expect(answer).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
      for (const field of [
        'Access-Control-Allow-Origin: https://page.test',
        'Access-Control-Allow-Credentials: true',
        'Access-Control-Allow-Methods: PUT',
        'Access-Control-Allow-Headers: x-key, content-type',
        'Vary: Origin',
      ])
        expect(answer).toContain(`\r\n${field}\r\n`);
      // It does not use up the rule.
      const fields = 'Origin: https://page.test\r\nX-Key: k\r\nContent-Length: 7\r\n';
      expect(await asks(stage, 'PUT /api', fields, '{"a":1}')).toContain(
        'Access-Control-Allow-Origin: https://page.test',
      );
      expect(stage.proxy.flows.map((flow) => flow.preflight)).toEqual([true, false]);
    }));

  it('of anything else go to the origin', () =>
    withProxy({}, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      stage.proxy.respond({ method: 'PUT', path: '/api' }, {});
      const asking = asks(stage, 'OPTIONS /api', preflight('DELETE'));
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toContain('OPTIONS /api');
      await upstream.send(OK);
      expect(await asking).toContain('\r\n\r\nok');
    }));

  it('an answer that sets its own CORS fields keeps them', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { headers: { 'access-control-allow-origin': '*' } });
      const answer = await asks(stage, 'GET /', 'Origin: https://page.test\r\n');
      expect(answer).toContain('\r\naccess-control-allow-origin: *\r\n');
      expect(answer).not.toContain('page.test');
    }));
});

describe('proxy.forbid() and verify()', () => {
  it('a forbidden flow fails the test, listed, also one from before and one under way', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', {});
      await asks(stage, 'GET /before');
      await stage.proxy.verify();
      stage.proxy.forbid({ path: '/before' });
      const lifted = stage.proxy.forbid(async (flow) => flow.request.path === '/async');
      await asks(stage, 'GET /async');
      await asks(stage, 'GET /fine');
      await expect(stage.proxy.verify()).rejects.toThrow(/forbid.*seen all the same:\n.*\/before.*\/async/s);
      await asks(stage, 'GET /async');
      lifted.dispose();
      await asks(stage, 'GET /async');
      const error = await stage.proxy.verify().catch((thrown: Error) => thrown);
      // What was seen before the ban was lifted counts, what came after does not.
      expect(String(error).match(/^ {2}- .*/gm)).toEqual([expect.stringContaining('/async')]);
    }));

  it('names the code', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', {});
      stage.proxy.forbid('**/tracker');
      await asks(stage, 'GET /tracker');
      await expect(stage.proxy.verify()).rejects.toMatchObject({ code: 'FORBIDDEN_FLOW' });
    }));
});

describe('a predicate of forbid() that throws', () => {
  for (const [how, predicate] of [
    [
      'at once',
      () => {
        throw new Error('mine');
      },
    ],
    ['later', () => Promise.reject(new Error('mine'))],
  ] as const) {
    it(`${how} is told once, however many flows there are`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.forbid(predicate);
        stage.proxy.respond('**', {});
        await asks(stage);
        await asks(stage);
        await expect(stage.proxy.verify()).rejects.toThrow(/^mine$/);
        await stage.proxy.verify();
      }));
  }
});

describe('proxy.during() and idle()', () => {
  it('during gives the flows that began while it ran, once they are over', () =>
    withProxy({}, async (stage) => {
      stage.proxy.mapHost('app.test', stage.origin.host);
      const early = asks(stage, 'GET /early');
      const first = await stage.origin.accept();
      await first.head();
      const flows = stage.proxy.during(async () => {
        asks(stage, 'GET /within').catch(() => undefined);
        const upstream = await stage.origin.accept();
        await upstream.head();
        setImmediate(() => upstream.send(OK));
      });
      expect((await flows).map((flow) => [flow.request.path, flow.response?.text()])).toEqual([
        ['/within', 'ok'],
      ]);
      await first.send(OK);
      await early;
      await expect(stage.proxy.during(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    }));

  it('idle waits for what is in flight, and says what that is when it takes too long', () =>
    withProxy({}, async (stage) => {
      await stage.proxy.idle({ quiet: 1 });
      const { upstream } = await stage.exchange('GET http://{origin}/slow HTTP/1.1\r\nHost: {origin}');
      await expect(stage.proxy.idle({ timeout: 1 })).rejects.toThrow(/still in flight:.*\/slow/s);
      const idle = stage.proxy.idle({ quiet: 1 });
      await upstream.send(OK);
      await idle;
      expect(stage.proxy.flows.last?.response?.complete).toBe(true);
    }));

  it('idle gives up at its timeout too where flows come and go', () =>
    withProxy({}, async ({ proxy }) => {
      const idle = proxy.idle({ quiet: 60_000, timeout: 1 });
      await expect(idle).rejects.toThrow(/not quiet for 60000 ms within 1 ms/);
      await expect(idle).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    }));
});
