import { describe, expect, it } from '@jest/globals';
import { decoded } from '../stream/transforms.js';
import { octets } from '../testing/bytes.js';
import { testProxy } from '../testing/test-proxy.js';
import { type HeldTimers, holdTimers } from '../testing/timers.js';
import { type Stage, withProxy } from '../testing/with-proxy.js';
import { compose } from './compose.js';
import { type Hold, hold } from './hold.js';
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

/** What `reached` is rejected with when the time is over. */
const late = (held: Hold, timers: HeldTimers) => {
  const refused = refusal(held.reached);
  timers.fire();
  return refused;
};

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

  it('says so when no message comes in time', async () => {
    const proxy = await testProxy({}, { waitTimeout: 700 });
    using timers = holdTimers();
    const [alone, composed, own, loose] = [hold(1), hold(2), hold(3, { timeout: 50 }), hold(4)];
    proxy.stream('**', { response: alone });
    proxy.stream('**', { request: compose(throttle('1m'), composed) });
    proxy.stream('**', { response: decoded(own) });
    expect(await late(alone, timers)).toBe('WAIT_TIMEOUT hold: no message came to it within 700 ms');
    expect(await late(composed, timers)).toBe('WAIT_TIMEOUT hold: no message came to it within 700 ms');
    expect(await late(own, timers)).toBe('WAIT_TIMEOUT hold: no message came to it within 50 ms');
    expect(await late(loose, timers)).toBe(
      'WAIT_TIMEOUT hold: no message came to it within 30000 ms: it is in no rule of proxy.stream()',
    );
  });

  it('says so when its message does not come so far in time, and where that was waited for', () =>
    withProxy({}, async (stage) => {
      const held = hold('1m', { timeout: 50 });
      stage.proxy.stream('**', { response: held });
      const { client } = await ask(stage, OK, body.subarray(0, 5000));
      await client.read(5000);
      using timers = holdTimers();
      expect(await late(held, timers)).toBe(
        'WAIT_TIMEOUT hold: its message came to 5000 of 1048576 bytes within 50 ms',
      );
      await held.reached.catch((error: Error) => expect(error.stack).toMatch(/^.*\n +at .*hold\.test\.ts/));
    }));

  const endings: Record<string, (stage: Stage) => Promise<unknown>> = {
    'its body ends': async (stage) => {
      await ask(stage, OK, body);
      await stage.over();
    },
    'its message fails': async (stage) => {
      const { client, upstream } = await ask(stage, OK, body.subarray(0, 5000));
      await client.read(4096);
      upstream.reset();
      await stage.over();
    },
    'the proxy is closed': ({ proxy }) => proxy.close(),
  };
  for (const [what, end] of Object.entries(endings)) {
    it(`says where it was waited for when ${what}, before or after that`, () =>
      withProxy({}, async (stage) => {
        const [before, after] = [hold('1m'), hold('1m')];
        stage.proxy.stream('**', { response: compose(before, after) });
        const early = before.reached;
        await end(stage);
        for (const reached of [early, after.reached]) {
          const error: unknown = await reached.catch((thrown: unknown) => thrown);
          expect(error).toMatchObject({
            code: 'WAIT_ENDED',
            stack: expect.stringMatching(/^SluiceError: hold: .*\n +at .*hold\.test\.ts/),
          });
        }
      }));
  }

  it('waits for ever with timeout 0, and has no time to keep before somebody waits, or after', () =>
    withProxy({}, async (stage) => {
      const [patient, held] = [hold(5000, { timeout: 0 }), hold(5000, { timeout: 50 })];
      stage.proxy.stream('**', { request: patient, response: held });
      using timers = holdTimers();
      const reached = patient.reached;
      timers.fire();
      await ask(stage, OK, body);
      await held.reached;
      timers.fire();
      await held.reached;
      await stage.proxy.close();
      expect(await refusal(reached)).toMatch(/^WAIT_ENDED hold: the proxy was closed/);
    }));

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
