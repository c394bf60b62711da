import { describe, expect, it } from '@jest/globals';
import { octets } from '../testing/bytes.js';
import { type Stage, withProxy } from '../testing/with-proxy.js';
import { compose } from './compose.js';
import { hold } from './hold.js';
import { throttle } from './throttle.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n';
const body = octets(10_000);

async function ask({ exchange }: Stage, answer: string, ...content: Uint8Array[]) {
  const ends = await exchange(GET);
  await ends.upstream.send(answer, ...content);
  await ends.client.head();
  return ends;
}

/** What a promise is rejected with. */
const refusal = (promise: Promise<void>) =>
  promise.then(
    () => 'it resolved',
    (error: { code: string; message: string }) => `${error.code} ${error.message}`,
  );

describe('hold', () => {
  it('lets so many octets through, and the rest when it is released', () =>
    withProxy({}, async (stage) => {
      const held = hold(5000);
      stage.proxy.stream('**', { response: held });
      const { client } = await ask(stage, OK, body);
      await held.reached;
      expect((await client.read(5000)).equals(body.subarray(0, 5000))).toBe(true);
      expect(client.unread.length).toBe(0);
      expect(stage.proxy.flows.last?.response?.complete).toBe(false);
      held.release();
      // What was decided stays.
      held.reset();
      expect((await client.read(5000)).equals(body.subarray(5000))).toBe(true);
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('does not hold what was released before, and says all the same when it is reached', () =>
    withProxy({}, async (stage) => {
      const held = hold('4k');
      stage.proxy.stream('**', { response: held });
      held.release();
      const { client } = await ask(stage, OK, body);
      expect((await client.read(10_000)).equals(body)).toBe(true);
      await held.reached;
    }));

  for (const [where, size] of [
    ['at 0', 0],
    ['before the end', 10_000],
  ] as const) {
    it(`holds ${where}`, () =>
      withProxy({}, async (stage) => {
        const held = hold(size);
        stage.proxy.stream('**', { response: held });
        const { client } = await ask(stage, OK, body);
        await held.reached;
        expect((await client.read(size)).length).toBe(size);
        expect(stage.proxy.flows.last?.response?.complete).toBe(false);
        held.release();
        await client.read(10_000 - size);
        expect((await stage.over()).error).toBeUndefined();
      }));
  }

  it('is for one message: the second passes', () =>
    withProxy({}, async (stage) => {
      const held = hold(5000);
      stage.proxy.stream('**', { response: held });
      const first = await ask(stage, OK, body);
      await held.reached;
      const second = await ask(stage, OK, body);
      expect((await second.client.read(10_000)).equals(body)).toBe(true);
      await first.client.read(5000);
      expect(first.client.unread.length).toBe(0);
    }));

  it('says so when the body ends before', () =>
    withProxy({}, async (stage) => {
      const held = hold('1m');
      stage.proxy.stream('**', { response: compose(held, throttle('10m')) });
      await ask(stage, OK, body);
      expect(await refusal(held.reached)).toBe(
        'WAIT_ENDED hold: its body ended after 10000 of 1048576 bytes',
      );
      expect((await stage.over()).error).toBeUndefined();
    }));

  it('says so when the message fails before', () =>
    withProxy({}, async (stage) => {
      const held = hold('1m');
      stage.proxy.stream('**', { response: held });
      const { client, upstream } = await ask(stage, OK, body.subarray(0, 5000));
      await client.read(4096);
      upstream.reset();
      expect(await refusal(held.reached)).toMatch(
        /^WAIT_ENDED hold: its message failed after \d+ of 1048576/,
      );
    }));

  for (const [how, rule] of [
    ['by itself', (held: ReturnType<typeof hold>) => held],
    ['in a composition', (held: ReturnType<typeof hold>) => compose(throttle('1m'), held)],
  ] as const) {
    it(`says so when the proxy is closed, ${how}`, () =>
      withProxy({}, async (stage) => {
        const [never, begun] = [hold(1), hold('1m')];
        stage.proxy.stream('**/never', { request: rule(never) });
        stage.proxy.stream('**', { response: rule(begun) });
        const { client } = await ask(stage, OK, body.subarray(0, 5000));
        await client.read(4096);
        await stage.proxy.close();
        expect(await refusal(never.reached)).toBe(
          'WAIT_ENDED hold: the proxy was closed before its message came to 1 bytes',
        );
        expect(await refusal(begun.reached)).toMatch(/^WAIT_ENDED hold: its message failed after/);
      }));
  }

  it('leaves nobody a rejection that was not asked for', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { response: hold('1m') });
      const { client } = await ask(stage, OK, body);
      await client.read(10_000);
      await stage.over();
    }));

  it('lets go of a message that fails while it is held', () =>
    withProxy({}, async (stage) => {
      const held = hold(5000);
      stage.proxy.stream('**', { response: held });
      const { client } = await ask(stage, OK, body);
      await held.reached;
      client.reset();
      expect((await stage.over()).error?.code).toBe('CLIENT_ABORTED');
      held.release();
      await stage.proxy.verify();
    }));
});
