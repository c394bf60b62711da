import { describe, expect, it } from '@jest/globals';
import { chunk, LAST_CHUNK } from '../testing/bytes.js';
import { dataOf, type Opened, openStream } from '../testing/event-stream.js';
import { withProxy } from '../testing/with-proxy.js';

const event = (data: string, type = 'message') => chunk(`event: ${type}\ndata: ${data}\n\n`);

/** Sends an event, and waits until it is at the client. */
async function pass({ upstream, client }: Opened, data: string, type?: string): Promise<void> {
  const wire = event(data, type);
  await upstream.send(wire);
  await client.read(wire.length);
}

describe('waitForEvent()', () => {
  it('gives a past event at once, and a future one as it comes', () =>
    withProxy({}, async (stage) => {
      const opened = await openStream(stage);
      const { response } = opened.flow;
      await pass(opened, '{"n":1}');
      const past = await response.waitForEvent({ n: 1 }, { timeout: 1 });
      expect(past).toBe(response.events?.[0]);
      const future = response.waitForEvent(({ data }) => data.includes('2'));
      await pass(opened, '{"n":2}', 'tick');
      expect(await future).toBe(response.events?.[1]);
      expect((await future).json()).toEqual({ n: 2 });
      expect([response.complete, stage.proxy.flows.last?.error]).toEqual([false, undefined]);
    }));

  it('counts events of one type only, and after one, where it is asked to', () =>
    withProxy({}, async (stage) => {
      const opened = await openStream(stage);
      const { response } = opened.flow;
      for (const type of ['a', 'b', 'a', 'b']) await pass(opened, 'same', type);
      const [, b1, a2, b2] = response.events ?? [];
      expect(await response.waitForEvent('same', { event: 'b' })).toBe(b1);
      expect(await response.waitForEvent('same', { event: 'b', ...(b1 && { after: b1 }) })).toBe(b2);
      expect(await response.waitForEvent('same', { ...(b1 && { after: b1 }) })).toBe(a2);
      const none = response.waitForEvent('same', { timeout: 1, ...(b2 && { after: b2 }) });
      await expect(none).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    }));

  it('says at a timeout what came instead, and points at whoever waits', () =>
    withProxy({}, async (stage) => {
      const opened = await openStream(stage);
      const { response } = opened.flow;
      await expect(response.waitForEvent('x', { timeout: 1 })).rejects.toThrow(
        /^waitForEvent\("x"\): no such event within 1 ms\n\nNo events were recorded\.$/,
      );
      await pass(opened, 'hello', 'greeting');
      const error = await response.waitForEvent(/x/, { event: 'price', timeout: 1 }).then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      expect(error?.message).toBe(
        'waitForEvent(/x/ of type "price"): no such event within 1 ms\n\nEvents:\n  - greeting: \'hello\'',
      );
      expect(error?.stack?.match(/^ +at .*$/m)?.[0]).toContain('event-waits.test.ts');
    }));

  it('ends with the stream, and with a flow that fails', () =>
    withProxy({}, async (stage) => {
      const first = await openStream(stage, 'Transfer-Encoding: chunked\r\nConnection: close');
      const ended = first.flow.response.waitForEvent('never');
      await pass(first, 'hello');
      await first.upstream.send(LAST_CHUNK);
      await expect(ended).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      await expect(ended).rejects.toThrow(/: the event stream has ended\n\nEvents:\n {2}- message: 'hello'$/);
      // The exchange is over, and with it whoever could tell of more.
      await expect(first.flow.response.waitForEvent('never')).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      expect((await first.flow.response.waitForEvent('hello')).data).toBe('hello');

      const second = await openStream(stage);
      const failed = second.flow.response.waitForEvent('never');
      second.upstream.reset();
      await expect(failed).rejects.toThrow(/^waitForEvent\("never"\): the flow failed: .*\(ORIGIN_CLOSED\)/);
    }));

  it('ends where no more events are recorded', () =>
    withProxy({}, async (stage) => {
      const { upstream, flow } = await openStream(stage);
      const wait = flow.response.waitForEvent('y');
      await upstream.send(chunk('data: x\n\n'.repeat(10_000)), event('y'));
      await expect(wait).rejects.toThrow('what came after the last of these events was not recorded');
      await expect(flow.response.waitForEvent('y')).rejects.toMatchObject({ code: 'WAIT_ENDED' });
    }));

  it('ends with the proxy, with its signal, and with what its function throws', () =>
    withProxy({}, async (stage) => {
      const opened = await openStream(stage);
      const { response } = opened.flow;
      const controller = new AbortController();
      const aborted = response.waitForEvent('never', { signal: controller.signal });
      controller.abort(new Error('no more'));
      await expect(aborted).rejects.toThrow('no more');
      const throwing = response.waitForEvent(() => {
        throw new Error('mine');
      });
      await pass(opened, 'hello');
      await expect(throwing).rejects.toThrow('mine');
      const closed = response.waitForEvent('never', { timeout: 0 });
      await stage.proxy.close();
      await expect(closed).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      await expect(response.waitForEvent('never')).rejects.toThrow(/PROXY_CLOSED/);
      expect((await response.waitForEvent('hello')).data).toBe('hello');
    }));

  it('looks at the events of its own response only', () =>
    withProxy({}, async (stage) => {
      const one = await openStream(stage);
      const two = await openStream(stage);
      const wait = one.flow.response.waitForEvent('x');
      await pass(two, 'x');
      await pass(one, 'x');
      expect(await wait).toBe(one.flow.response.events?.[0]);
      expect(one.flow).not.toBe(two.flow);
    }));

  it('takes a recorded response as it is sent', () =>
    withProxy({ streamContentTypes: [] }, async (stage) => {
      const inHook: Promise<unknown>[] = [];
      stage.proxy.on('response', ({ response }) => {
        inHook.push(response.waitForEvent('before'));
        response.body = response.text().replace('before', 'after');
      });
      const { upstream, flow } = await openStream(stage);
      const seen: string[] = [];
      const before = flow.response.waitForEvent(({ data }) => seen.push(data) > 0 && data === 'before');
      const after = flow.response.waitForEvent('after');
      await upstream.send(event('before'), LAST_CHUNK);
      expect((await after).data).toBe('after');
      for (const wait of [before, ...inHook]) {
        await expect(wait).rejects.toMatchObject({ code: 'WAIT_ENDED' });
      }
      expect([seen, dataOf(flow)]).toEqual([['after'], ['after']]);
    }));

  it('is in vain for what is no event stream, and for a match that no event can be', () =>
    withProxy({}, async (stage) => {
      const { upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx');
      const { response } = await stage.over();
      await expect(response?.waitForEvent('x')).rejects.toThrow('the response is text/html, no event stream');
      expect(() => response?.waitForEvent(undefined as unknown as string)).toThrow(
        /undefined is not accepted/,
      );
    }));
});

describe('an open event stream', () => {
  it('is in flight: idle() waits for it, and says that it does', () =>
    withProxy({}, async (stage) => {
      const opened = await openStream(stage);
      await pass(opened, 'hello');
      const waiting = stage.proxy.idle({ quiet: 1, timeout: 20 });
      await expect(waiting).rejects.toThrow(
        /still in flight:[\s\S]*streamed in 1 piece, 1 event, not complete/,
      );
      const { stack = '' } = await waiting.then(
        () => new Error('it was idle'),
        (error: Error) => error,
      );
      expect(stack.match(/^ +at .*$/m)?.[0]).toContain('event-waits.test.ts');
    }));
});
