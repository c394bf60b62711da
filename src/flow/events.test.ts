import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { expect } from 'expect';
import { describeEvent, listEvents } from './describe-event.js';
import { compileEventMatch } from './event-match.js';
import { EventLog, ServerSentEventRecord } from './events.js';
import type { ServerSentEventMatch } from './payload-types.js';
import { sampleFlow } from './testing/sample-flow.js';

const STREAM = { 'Content-Type': 'text/event-stream; charset=utf-8' };

function event(data: string, { event = 'message', id = '', retry = undefined as number | undefined } = {}) {
  return new ServerSentEventRecord({ event, data, id, retry }, 0);
}

const matches = (match: ServerSentEventMatch, data: string, type?: string) =>
  compileEventMatch(match, 'test', type).test(event(data));

describe('a match of events', () => {
  it('compares the data, as with WebSocket messages', () => {
    expect([matches('grüße', 'grüße'), matches('a', 'a '), matches('', '')]).toEqual([true, false, true]);
    expect([matches(/l+/g, 'hello'), matches(/^l/, 'hello')]).toEqual([true, false]);
    expect([matches(Buffer.from('grüße'), 'grüße'), matches(Buffer.from('gr'), 'grüße')]).toEqual([
      true,
      false,
    ]);
    expect([matches({ a: 1 }, '{"a":1,"b":2}'), matches({ a: 1 }, 'no JSON')]).toEqual([true, false]);
    expect([matches(7, '7'), matches(null, 'null'), matches([1], '[1]')]).toEqual([true, true, true]);
    expect(matches(expect.stringContaining('ell'), 'hello')).toBe(true);
    expect(matches(expect.objectContaining({ a: expect.any(Number) }), '{"a":1}')).toBe(true);
  });

  it('gives the event to a function, and takes no promise', () => {
    expect(compileEventMatch(({ id }) => id === '7', 'test').test(event('x', { id: '7' }))).toBe(true);
    const late = (async () => true) as unknown as () => boolean;
    expect(() => matches(late, 'x')).toThrow('test: the function gave a promise');
  });

  it('is of one type, if it says so', () => {
    expect(matches('x', 'x', 'message')).toBe(true);
    expect(matches('x', 'x', 'price')).toBe(false);
    expect(compileEventMatch('x', 'test', 'price').describe).toBe('"x" of type "price"');
  });

  it('refuses what no event can be', () => {
    expect(() => matches(undefined as unknown as string, 'x')).toThrow(
      /^test: undefined is not accepted; give a/,
    );
    expect(() => matches('x', 'x', 7 as unknown as string)).toThrow(/^test: event 7 is not accepted/);
  });
});

describe('events in words', () => {
  it('have type, id, retry and data on a line', () => {
    expect(describeEvent(event('{"a":1}'))).toBe('message: \'{"a":1}\'');
    expect(describeEvent(event('a\nb', { event: 'x\ty', id: '7', retry: 10 }))).toBe(
      "x\\ty, id '7', retry 10: 'a\\nb'",
    );
    expect(describeEvent(event('x'.repeat(101)))).toBe(`message: '${'x'.repeat(100)}'…`);
  });

  it('are listed to the tenth before the last', () => {
    expect(listEvents([])).toBe('');
    const twelve = Array.from({ length: 12 }, (_, i) => event(String(i)));
    const lines = listEvents(twelve, { note: ({ data }) => (data === '11' ? 'the last' : undefined) }).split(
      '\n',
    );
    expect(lines.slice(0, 2)).toEqual(['Events, the last 10 of 12:', "  - message: '2'"]);
    expect(lines.slice(-2)).toEqual(["  - message: '11'", '      the last']);
  });

  it('say what is no JSON', () => {
    expect(event('{"a":1}').json()).toEqual({ a: 1 });
    expect(() => event('no JSON').json()).toThrow(/^the event's data is not JSON: .*; it begins "no JSON"$/);
  });
});

describe('EventLog', () => {
  it('keeps 10 000 events, and nothing after what it left out', () => {
    const log = new EventLog();
    for (let i = 0; i < 10_000; i++) log.add(event(String(i)), 0);
    expect([log.events.length, log.truncated]).toEqual([10_000, false]);
    log.add(event('one more'), 0);
    expect([log.events.length, log.truncated, log.events.at(-1)?.data]).toEqual([10_000, true, '9999']);
  });

  it('keeps 64 Mi characters', () => {
    const log = new EventLog();
    const data = 'x'.repeat(16 * 1024 * 1024 - 8);
    // An id that stays is one text for all of them.
    const id = '1';
    for (let i = 0; i < 4; i++) log.add(event(data, { event: 'seven..', id }), 0);
    expect([log.events.length, log.truncated]).toEqual([4, false]);
    log.add(event('x'.repeat(100)), 0);
    log.add(event(''), 0);
    expect([log.events.length, log.truncated]).toEqual([4, true]);
    // But one that is long and changes counts each time.
    const ids = new EventLog();
    for (let i = 0; i < 5; i++) ids.add(event('', { id: `${i}${data}` }), 0);
    expect([ids.events.length, ids.truncated]).toEqual([4, true]);
    const same = new EventLog();
    for (let i = 0; i < 5; i++) same.add(event('', { id: data }), 0);
    expect([same.events.length, same.truncated]).toEqual([5, false]);
  });
});

describe('the events of a recorded response', () => {
  const recorded = (body: string | Buffer, headers: Record<string, string> = STREAM) => {
    const { response } = sampleFlow({}, { headers, body });
    if (response === undefined) throw new Error('no response was made');
    return response;
  };

  it('are those of its body, also of an encoded one', () => {
    const body = 'id: 1\ndata: a\n\ndata: b\n\ndata: c';
    const encoded = { ...STREAM, 'Content-Encoding': 'gzip' };
    for (const response of [recorded(body), recorded(gzipSync(body), encoded)]) {
      expect(response.events).toMatchObject([
        { event: 'message', data: 'a', id: '1' },
        { event: 'message', data: 'b', id: '1' },
      ]);
      expect(response.eventsTruncated).toBe(false);
    }
  });

  it('are read once, and again when the body was edited', () => {
    const response = recorded('data: a\n\n');
    const { events } = response;
    const first = events?.[0];
    expect(response.events?.[0]).toBe(first);
    response.headSent = response.bodySent = false;
    response.body = 'data: b\n\ndata: c\n\n';
    expect(response.events).toBe(events);
    expect(events?.map(({ data }) => data)).toEqual(['b', 'c']);
  });

  it('are none of another type, and marked if they can not be read', () => {
    const html = recorded('data: a\n\n', { 'Content-Type': 'text/html' });
    expect([html.events, html.eventsTruncated]).toEqual([undefined, false]);
    for (const coding of ['gzip', 'unheard-of']) {
      const response = recorded('data: a\n\n', { ...STREAM, 'Content-Encoding': coding });
      expect([response.events, response.eventsTruncated]).toEqual([[], true]);
    }
    const large = recorded(`data: a\n\ndata: ${'x'.repeat(17 * 1024 * 1024)}`);
    expect([large.events?.length, large.eventsTruncated]).toEqual([1, true]);
  });

  it('are not waited for, once nothing can come', async () => {
    const response = recorded('data: a\n\n');
    (response.owner as { settled?: boolean }).settled = true;
    expect(await response.waitForEvent('a')).toBe(response.events?.[0]);
    const { events } = response;
    // Whoever waits may ask later what became of it.
    const late = response.waitForEvent('never');
    await new Promise((resolve) => setImmediate(resolve));
    await expect(late).rejects.toMatchObject({ code: 'WAIT_ENDED' });
    const after = response.waitForEvent('a', { after: events?.[0] as ServerSentEventRecord });
    const error = await after.then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toBe(
      'waitForEvent("a"): the event stream has ended\n\nEvents:\n  - message: \'a\'',
    );
    expect(error?.stack?.match(/^ +at .*$/m)?.[0]).toContain('events.test.ts');
  });
});
