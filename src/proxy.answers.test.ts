import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { RespondInit } from './flow/types.js';
import { verdictOf } from './har/view.js';
import type { FlowMatch } from './index.js';
import type { RawPeer } from './testing/raw-peer.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const GET = 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}';

/** Asks for something that no origin has, on a connection of its own. */
async function asks(stage: Stage, head = GET, body = ''): Promise<string> {
  const client = await stage.client();
  await client.send(`${head.replaceAll('{origin}', stage.origin.host)}\r\nConnection: close\r\n\r\n${body}`);
  return (await client.rest()).toString();
}

/** The files that this process has open, where the system tells. */
function openFiles(): string[] {
  const fds = '/proc/self/fd';
  if (!existsSync(fds)) return [];
  return readdirSync(fds).flatMap((fd) => {
    const link = path.join(fds, fd);
    return existsSync(link) ? [readlinkSync(link)] : [];
  });
}

async function* letters() {
  yield 'a';
  yield Buffer.from('bc');
  yield '';
}

describe('respond(): what can be an answer', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'answers-'));
  const file = path.join(dir, 'page.html');
  writeFileSync(file, '<p>');
  afterAll(() => rmSync(dir, { recursive: true }));

  const answers: [string, RespondInit, RegExp][] = [
    ['nothing in particular', {}, /^HTTP\/1\.1 200 OK\r\nContent-Length: 0\r\n\r\n$/],
    ['a status', { status: 404 }, /^HTTP\/1\.1 404 Not Found\r\n/],
    ['a status that has no name', { status: 599 }, /^HTTP\/1\.1 599 \r\n/],
    ['json', { json: { a: [1] } }, /Type: application\/json\r\nContent-Length: 9\r\n\r\n{"a":\[1\]}$/],
    ['text', { body: 'é' }, /Type: text\/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\né$/],
    ['bytes', { body: Buffer.from('raw') }, /^HTTP\/1\.1 200 OK\r\nContent-Length: 3\r\n\r\nraw$/],
    ['an async iterable', { body: letters() }, /chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n$/],
    ['a file', { path: file }, /Content-Type: text\/html\r\nContent-Length: 3\r\n\r\n<p>$/],
    [
      'fields',
      { body: '{}', contentType: 'application/x', headers: { 'X-A': ['1', '2'] } },
      /X-A: 1\r\nX-A: 2\r\nContent-Type: application\/x\r\nContent-Length: 2/,
    ],
    ['204', { status: 204 }, /^HTTP\/1\.1 204 No Content\r\n\r\n$/],
  ];
  for (const [what, init, expected] of answers) {
    it(`${what}`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.respond('**', init);
        expect(await asks(stage)).toMatch(expected);
        expect(stage.origin.connections).toHaveLength(0);
        const flow = await stage.over();
        expect(flow.error).toBeUndefined();
        expect(flow.server).toBeUndefined();
        expect(stage.hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
      }));
  }

  it('HEAD gets the head of the same', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { path: file });
      expect(await asks(stage, GET.replace('GET', 'HEAD'))).toMatch(/Content-Length: 3\r\n\r\n$/);
      expect(openFiles()).not.toContain(file);
    }));

  it('a file that is not there fails the flow, and the test', () =>
    withProxy({}, async (stage) => {
      stage.proxy.respond('**', { path: path.join(dir, 'none') });
      expect(await asks(stage)).toContain('502 Bad Gateway');
      expect((await stage.over()).error).toMatchObject({ code: 'RULE_FAILED' });
      await expect(stage.proxy.verify()).rejects.toMatchObject({ code: 'ENOENT' });
    }));

  const bad: unknown[] = [
    { status: 99 },
    { status: 101 },
    { stauts: 200 },
    { json: 1, body: '' },
    { body: 1 },
    { path: 1 },
    { contentType: 1 },
    null,
    'text',
  ];
  it('anything else is refused where it is given', () =>
    withProxy({}, async ({ proxy }) => {
      for (const init of bad) {
        expect(() => proxy.respond('**', init as RespondInit)).toThrow(
          expect.objectContaining({ code: 'BAD_RESPONSE' }),
        );
      }
      expect(() => proxy.respond('**', { headers: { 'a b': '1' } })).toThrow(/not a field name/);
      expect(() => proxy.respond('**', {}, { times: 0 })).toThrow(/times 0/);
      expect(() => proxy.respond({} as FlowMatch, {})).toThrow(
        expect.objectContaining({ code: 'BAD_MATCH' }),
      );
    }));
});

describe('flow.respond()', () => {
  for (const hook of ['requestHeaders', 'request'] as const) {
    it(`in ${hook}: no origin is asked`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.on(hook, (flow) => flow.respond({ body: hook }));
        const answer = await asks(stage, `${GET}\r\nContent-Length: 4`, 'body');
        expect(answer).toMatch(new RegExp(`^HTTP/1.1 200 OK.*\r\n\r\n${hook}$`, 's'));
        const flow = await stage.over();
        expect(flow.request.text()).toBe('body');
        expect(flow.server).toBeUndefined();
        expect(verdictOf(flow, flow.request)).toBe('not forwarded');
        expect(flow.response && verdictOf(flow, flow.response)).toBe('made by the proxy');
        expect(stage.origin.connections).toHaveLength(0);
      }));
  }

  for (const hook of ['responseHeaders', 'response'] as const) {
    it(`in ${hook}: in place of what the origin said`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.on(hook, (flow) => flow.respond({ body: hook, status: 201 }));
        const { client, upstream } = await stage.exchange(GET);
        await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\norigin');
        expect(await client.head()).toContain('201 Created');
        expect((await client.read(hook.length)).toString()).toBe(hook);
        const flow = await stage.over();
        expect(flow.response).toMatchObject({ status: 201 });
        expect(flow.response?.text()).toBe(hook);
        expect(stage.hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
      }));
  }

  /** Each is a moment, reached when the promise resolves, at which the answer comes from outside. */
  const moments: Record<string, (stage: Stage) => Promise<RawPeer>> = {
    'while the request is coming': async ({ client, origin, eventually, proxy }) => {
      const peer = await client();
      await peer.send(`PUT http://${origin.host}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1`);
      await eventually(() => proxy.flows.length > 0, 'a flow');
      setImmediate(() => peer.send('2'));
      return peer;
    },
    'while the origin is silent': async (stage) => (await stage.exchange(GET)).client,
    'while the response is coming': async (stage) => {
      const { client, upstream } = await stage.exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart');
      await stage.proxy.waitForResponse('**');
      return client;
    },
  };
  for (const [when, reach] of Object.entries(moments)) {
    it(`from outside, ${when}`, () =>
      withProxy({}, async (stage) => {
        const client = await reach(stage);
        stage.proxy.flows.last?.respond({ body: 'outside' });
        expect(await client.head()).toContain('200 OK');
        expect((await client.read(7)).toString()).toBe('outside');
        expect((await stage.over()).response?.text()).toBe('outside');
      }));
  }

  it('from outside, while the origin is being connected to, leaves that alone', () =>
    withProxy({}, async (stage) => {
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      async function* slowly() {
        await held;
        yield 'ours';
      }
      stage.proxy.on('request', (flow) => {
        // After the hook the proxy connects, which takes a turn of the event loop.
        queueMicrotask(() => flow.respond({ body: slowly() }));
      });
      const client = await stage.client();
      await client.send(`${GET.replaceAll('{origin}', stage.origin.host)}\r\n\r\n`);
      const upstream = await stage.origin.accept();
      expect(await upstream.ending).toBe('fin');
      expect(upstream.total).toBe(0);
      go();
      expect((await client.read('0\r\n\r\n')).toString()).toContain('\r\n\r\n4\r\nours\r\n0\r\n');
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('after the head has gone only warns', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**');
      const { client, upstream } = await stage.exchange(GET);
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no');
      await client.read('o');
      stage.proxy.flows.last?.respond({ body: 'late' });
      await upstream.send('k');
      await client.read('k');
      const flow = await stage.over();
      flow.respond({ body: 'too late' });
      expect(flow.warnings).toEqual([
        expect.stringContaining('after the head of the response'),
        expect.stringContaining('after the exchange was over'),
      ]);
    }));
});
