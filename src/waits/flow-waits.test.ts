import { describe, expect, it } from '@jest/globals';
import { type Stage, withProxy } from '../testing/with-proxy.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const starts = (stage: Stage, path: string) =>
  stage.exchange(`GET http://{origin}${path} HTTP/1.1\r\nHost: {origin}`);

async function passes(stage: Stage, path: string): Promise<void> {
  const client = await stage.client();
  stage.proxy.respond('**', { body: 'ok' }, { times: 1 });
  await client.send(`GET http://app.test${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`);
  await client.read('ok');
  await stage.over(Number(stage.proxy.flows.last?.id));
}

describe('waits', () => {
  it('end at the moment they are named after', () =>
    withProxy({}, async (stage) => {
      const { proxy } = stage;
      const reached: string[] = [];
      const match = '**/x';
      const waits = [
        proxy.waitForRequest(match).then(() => reached.push('request')),
        proxy.waitForResponse(match).then((flow) => reached.push(`response ${flow.response.status}`)),
        proxy.waitForFlow(match).then((flow) => reached.push(`flow ${flow.response.text()}`)),
      ];
      const { upstream } = await starts(stage, '/x');
      await waits[0];
      expect(reached).toEqual(['request']);
      await upstream.send(OK.slice(0, -1));
      await waits[1];
      expect(reached).toEqual(['request', 'response 200']);
      await upstream.send('k');
      await waits[2];
      expect(reached).toEqual(['request', 'response 200', 'flow ok']);
    }));

  it('see past flows, unless they are to begin after one', () =>
    withProxy({}, async (stage) => {
      await passes(stage, '/x?1');
      const first = await stage.proxy.waitForFlow('**/x*');
      expect(first.request.path).toBe('/x?1');
      const next = stage.proxy.waitForFlow('**/x*', { after: first });
      await passes(stage, '/x?2');
      expect((await next).request.path).toBe('/x?2');
    }));

  it('refuse a timeout that is none', () =>
    withProxy({}, async ({ proxy }) => {
      for (const timeout of [-1, Number.NaN, '5s']) {
        expect(() => proxy.waitForFlow('**', { timeout: timeout as number })).toThrow(
          expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining('milliseconds') }),
        );
      }
    }));

  it('take functions, asynchronous ones too, asked again as the flow goes on', () =>
    withProxy({}, async (stage) => {
      const found = stage.proxy.waitForRequest(async (flow) => {
        await new Promise((resolve) => setImmediate(resolve));
        return flow.response?.text() === 'ok';
      });
      await passes(stage, '/x');
      expect((await found).request.path).toBe('/x');
      await expect(
        stage.proxy.waitForFlow(() => {
          throw new Error('mine');
        }),
      ).rejects.toThrow('mine');
      await expect(stage.proxy.waitForFlow(() => Promise.reject(new Error('mine too')))).rejects.toThrow(
        'mine too',
      );
      expect(() => stage.proxy.waitForFlow({ sttus: 200 } as never)).toThrow(/unknown key "sttus".*status/);
    }));

  it('a timeout says what was waited for and lists the flows, nearest misses first', () =>
    withProxy({}, async (stage) => {
      await passes(stage, '/other/page');
      await passes(stage, '/api/orders');
      await passes(stage, '/assets/logo.svg');
      const failure = stage.proxy.waitForFlow({ path: '/api/order', status: 201 }, { timeout: 1 });
      const error = await failure.catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: 'WAIT_TIMEOUT' });
      const [title, , heading, nearest, why] = String(error).split('\n');
      expect(title).toContain("waitForFlow({ path: '/api/order', status: 201 }): no such flow within 1 ms");
      expect(heading).toBe('Recorded flows, nearest first:');
      expect(nearest).toContain('/api/orders');
      expect(why).toContain('status was 200, expected 201');
      expect(why).toContain('path was "/api/orders", expected "/api/order"');
      // The stack is that of the test.
      expect((error as Error).stack).toContain('flow-waits.test.ts');
    }));

  it('a timeout without any flow asks whether the proxy is used at all', () =>
    withProxy({}, async ({ proxy }) => {
      await expect(proxy.waitForRequest('**', { timeout: 1 })).rejects.toThrow(/No flows were recorded/);
    }));

  it('a signal ends them, with its reason', () =>
    withProxy({}, async ({ proxy }) => {
      const control = new AbortController();
      const wait = proxy.waitForFlow('**', { signal: control.signal, timeout: 0 });
      const reason = new Error('enough');
      control.abort(reason);
      await expect(wait).rejects.toBe(reason);
      await expect(proxy.waitForFlow('**', { signal: control.signal })).rejects.toBe(reason);
      await expect(proxy.waitForFlow('**', { signal: AbortSignal.abort('a text') })).rejects.toThrow(
        /aborted/,
      );
    }));

  it('waitForFlow fails with a flow that fails, and carries it; waitForError waits for that', () =>
    withProxy({}, async (stage) => {
      const failure = stage.proxy.waitForError('**');
      const flow = stage.proxy.waitForFlow('**');
      const response = stage.proxy.waitForResponse('**');
      const { upstream } = await starts(stage, '/x');
      upstream.end();
      const failed = await failure;
      expect(failed.error.code).toBe('ORIGIN_CLOSED');
      await expect(flow).rejects.toMatchObject({ code: 'FLOW_FAILED', flow: failed });
      await expect(flow).rejects.toThrow(/ORIGIN_CLOSED.*GET/s);
      await expect(response).rejects.toMatchObject({ code: 'FLOW_FAILED', flow: failed });
    }));

  it('are rejected at the end of the proxy with what was seen, and do not begin after it', () =>
    withProxy({}, async (stage) => {
      const { proxy } = stage;
      await passes(stage, '/seen');
      const pending = proxy.waitForFlow('**/never', { timeout: 0 });
      await proxy.close();
      await expect(pending).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      await expect(pending).rejects.toThrow(/waitForFlow\("\*\*\/never"\).*closed.*\/seen/s);
      const late = { timeout: 0 };
      await expect(proxy.waitForFlow('**/never', late)).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      await expect(proxy.waitForFlow(async () => false, late)).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      expect((await proxy.waitForFlow('**/seen', late)).request.path).toBe('/seen');
      expect((await proxy.waitForFlow(async () => true, late)).request.path).toBe('/seen');
    }));

  it('a very long timeout does not end at once', () =>
    withProxy({}, async (stage) => {
      const wait = stage.proxy.waitForFlow('**', { timeout: 2 ** 40 });
      await passes(stage, '/x');
      expect((await wait).id).toBe('1');
    }));
});

describe('proxy.flows', () => {
  it('is a list in order of request start', () =>
    withProxy({}, async (stage) => {
      const { flows } = stage.proxy;
      expect(flows.last).toBeUndefined();
      const slow = await starts(stage, '/1');
      await passes(stage, '/2');
      await slow.upstream.send(OK);
      await stage.over(1);
      expect(flows).toHaveLength(2);
      expect([...flows].map(({ request }) => request.path)).toEqual(['/1', '/2']);
      expect(flows.find(({ request }) => request.path === '/2')).toBe(flows.last);
      expect(flows.filter(({ id }) => id === '1')).toEqual([flows.at(0)]);
      expect(flows.at(-1)).toBe(flows.last);
      flows.clear();
      expect(flows).toHaveLength(0);
      await passes(stage, '/3');
      expect(flows.last?.id).toBe('3');
    }));
});
