import { describe, expect, it } from '@jest/globals';
import { problemOf, type Stage, withProxy } from './testing/with-proxy.js';

const GET = 'GET http://{origin}/ HTTP/1.1\r\nHost: {origin}';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** One exchange with `OK`. */
async function goes(stage: Stage): Promise<void> {
  const { client, upstream } = await stage.exchange(GET);
  await upstream.send(OK);
  await client.read(OK.length);
}

describe('hooks', () => {
  it('run in order of registration, each waited for, also within an addon and a class', () =>
    withProxy({}, async (stage) => {
      const { proxy } = stage;
      const order: string[] = [];
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      class Addon {
        name = 'addon';
        request() {
          order.push(`${this.name}: request`);
        }
        async response() {
          await turn();
          order.push(`${this.name}: response`);
        }
      }
      proxy.on('request', async () => {
        await turn();
        order.push('first: request');
      });
      proxy.use(new Addon());
      // What a handler returns besides promises means nothing.
      proxy.on('response', () => order.push('last: response') as unknown as undefined);
      await goes(stage);
      expect(order).toEqual(['first: request', 'addon: request', 'addon: response', 'last: response']);
      expect(stage.hooks).toEqual(['requestHeaders', 'request', 'responseHeaders', 'response']);
    }));

  it('are taken out one by one, also a function that was added twice', () =>
    withProxy({}, async (stage) => {
      let calls = 0;
      const count = () => {
        calls++;
      };
      const first = stage.proxy.on('request', count);
      const second = stage.proxy.on('request', count);
      first.dispose();
      await goes(stage);
      expect(calls).toBe(1);
      second.dispose();
    }));

  const throwing: [how: string, add: (proxy: Stage['proxy'], fail: () => never) => unknown][] = [
    ['at once', (proxy, fail) => proxy.on('request', () => fail())],
    [
      'later',
      (proxy, fail) =>
        proxy.on('request', async () => {
          await null;
          fail();
        }),
    ],
    [
      'behind another, in an addon',
      (proxy, fail) => {
        proxy.on('request', async () => undefined);
        proxy.use({ request: () => fail() });
      },
    ],
  ];
  for (const [how, add] of throwing) {
    it(`that throw ${how} fail with that error, whose frames are theirs and the hook's name`, () =>
      withProxy({ originErrors: 'respond' }, async (stage) => {
        const { proxy } = stage;
        let error: Error | undefined;
        add(proxy, () => {
          error = new TypeError('oops');
          throw error;
        });
        const client = await stage.client();
        await client.send(`${GET.replaceAll('{origin}', stage.origin.host)}\r\n\r\n`);
        const flow = await stage.over();
        expect(flow.error).toMatchObject({ code: 'HOOK_FAILED', message: 'the request hook threw: oops' });
        expect(await problemOf(proxy)).toBe(error);
        const frames = error?.stack?.split('\n').slice(1) ?? [];
        expect(frames.at(-1)).toBe('    at the request hook (sluice)');
        const others = frames.slice(0, -1).filter((frame) => !frame.includes('proxy.hooks.test'));
        expect(others).toEqual([]);
        expect(frames.length).toBeGreaterThan(1);
      }));
  }

  it('may throw what has no stack, or one that throws', () =>
    withProxy({}, async (stage) => {
      const silent = Object.defineProperty(new Error('x'), 'stack', {
        get() {
          throw new Error('no');
        },
      });
      for (const thrown of ['a text', Object.freeze(new Error('frozen')), silent]) {
        const hook = stage.proxy.on('request', () => {
          throw thrown;
        });
        const number = stage.proxy.flows.length + 1;
        const client = await stage.client();
        await client.send(`${GET.replaceAll('{origin}', stage.origin.host)}\r\n\r\n`);
        await stage.over(number);
        expect((await problemOf(stage.proxy)) === thrown).toBe(true);
        hook.dispose();
      }
    }));

  it('that do not exist, or are no functions, are refused', () =>
    withProxy({}, async ({ proxy }) => {
      expect(() => proxy.on('reqest' as 'request', () => undefined)).toThrow(
        /"reqest".*did you mean request\?/,
      );
      expect(() => proxy.on('request', 1 as never)).toThrow(/not a function/);
      expect(() => proxy.use({})).toThrow(/without hooks/);
    }));

  for (const hook of ['requestHeaders', 'request', 'responseHeaders', 'response'] as const) {
    for (const [how, thrower] of [
      [
        'throws',
        (error: Error) => () => {
          throw error;
        },
      ],
      ['rejects', (error: Error) => () => Promise.reject(error)],
    ] as const) {
      it(`${hook} that ${how} ends the flow, and verify() throws what it threw`, () =>
        withProxy({}, async (stage) => {
          const thrown = new Error('mine');
          stage.proxy.on(hook, thrower(thrown));
          const client = await stage.client();
          await client.send(`${GET.replaceAll('{origin}', stage.origin.host)}\r\n\r\n`);
          if (hook.startsWith('response')) {
            const upstream = await stage.origin.accept();
            await upstream.head();
            await upstream.send(OK);
          }
          expect(await client.head()).toContain('502 Bad Gateway');
          const flow = await stage.over();
          expect(flow.error).toMatchObject({ code: 'HOOK_FAILED', cause: thrown });
          expect(flow.error?.message).toContain(`the ${hook} hook threw: mine`);
          expect(stage.origin.connections).toHaveLength(hook.startsWith('response') ? 1 : 0);
          await expect(stage.proxy.verify()).rejects.toBe(thrown);
          // Told once.
          await stage.proxy.verify();
        }));
    }
  }

  for (const [what, thrown] of Object.entries({
    nothing: undefined,
    'what has no text': Object.create(null),
  })) {
    it(`that throw ${what} end the flow all the same`, () =>
      withProxy({}, async (stage) => {
        stage.proxy.on('requestHeaders', () => {
          throw thrown;
        });
        const client = await stage.client();
        await client.send(`${GET.replaceAll('{origin}', stage.origin.host)}\r\n\r\n`);
        expect(await client.head()).toContain('502 Bad Gateway');
        expect((await stage.over()).error?.code).toBe('HOOK_FAILED');
        expect(await problemOf(stage.proxy)).toEqual(thrown ?? expect.any(Error));
      }));
  }

  it('an error hook, or one of clients, that throws reaches verify() too', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('clientConnect', () => Promise.reject(new Error('of clients')));
      stage.proxy.on('error', () => {
        throw new Error('of errors');
      });
      const { upstream, client } = await stage.exchange(GET);
      upstream.end();
      await client.rest();
      await stage.over();
      await expect(stage.proxy.verify()).rejects.toThrow(/of clients.*of errors/s);
    }));

  it('an error hook that throws on a refused request keeps nobody from hearing of it', () =>
    withProxy({}, async ({ proxy, client }) => {
      proxy.on('error', () => Promise.reject(new Error('of errors')));
      const refused = proxy.waitForError({ error: 'CLIENT_PROTOCOL' });
      const peer = await client();
      await peer.send('GET http://app.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
      expect((await refused).request.url).toBe('http://app.test/');
      await expect(proxy.verify()).rejects.toThrow('of errors');
    }));

  it('flow.kill() cuts the client off, from a hook and from outside', () =>
    withProxy({}, async (stage) => {
      stage.proxy.on('request', (flow) => {
        if (flow.request.path === '/now') flow.kill();
      });
      const { client } = await stage.exchange(GET);
      stage.proxy.flows.last?.kill();
      expect(await client.rest()).toHaveLength(0);
      expect((await stage.over()).error?.code).toBe('KILLED');
      const other = await stage.client();
      await other.send(`GET http://${stage.origin.host}/now HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await other.rest()).toHaveLength(0);
      expect((await stage.over(2)).error?.code).toBe('KILLED');
      expect(stage.hooks).toEqual(expect.arrayContaining(['error', 'error 2']));
    }));
});
