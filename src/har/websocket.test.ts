import { describe, it } from 'node:test';
import { expect } from 'expect';
import { describeFlow, summarize } from './summary.js';
import { EPOCH, type FlowSpec, makeFlow, type SocketMessageSpec, type SocketSpec } from './testing/flows.js';
import { isInFlight, timesOf } from './times.js';
import { moodOf, payloadText } from './websocket.js';

const socket = (websocket: SocketSpec, more: FlowSpec = {}) =>
  makeFlow({ url: 'wss://app.test/live', ...more, websocket });
const from = (peer: 'client' | 'server', many: number, size: number): SocketMessageSpec[] =>
  Array.from({ length: many }, () => ({ from: peer, data: 'x'.repeat(size) }));
const chat = [...from('client', 3, 400), ...from('server', 12, 3333)];

describe('describeFlow of a WebSocket', () => {
  it('counts messages and says how it ended', () => {
    expect(describeFlow(socket({ messages: chat, stream: true, close: { code: 1000, by: 'client' } }))).toBe(
      'GET wss://app.test/live → 101 (WebSocket: 3 messages up, 12 down, 1.2 kB up, 40 kB down, streamed, closed 1000 by client)',
    );
    expect(describeFlow(socket({ messages: from('client', 1, 1) }))).toBe(
      'GET wss://app.test/live → 101 (WebSocket: 1 message up, 0 down, 1 B up, 0 B down, open)',
    );
  });

  it('tells what was done to messages, and what went wrong', () => {
    const messages: SocketMessageSpec[] = [
      { data: 'a', dropped: true },
      { data: 'b', injected: true },
      { data: 'c', injected: true },
      { data: 'long', kept: 1 },
    ];
    expect(
      describeFlow(socket({ messages, close: { code: 4001, reason: 'a\n"b"', by: 'server' } })),
    ).toContain(
      'WebSocket: 4 messages up, 0 down, 7 B up, 0 B down, 2 injected, 1 dropped, 1 truncated, closed 4001 "a\\x0a"b"" by server)',
    );
    const error = { code: 'ORIGIN_CLOSED', message: 'gone' } as const;
    expect(describeFlow(socket({ close: { code: 1006, by: 'server' } }, { error }))).toBe(
      'GET wss://app.test/live → 101, ORIGIN_CLOSED: gone (WebSocket: 0 messages up, 0 down, 0 B up, 0 B down, closed 1006 by server)',
    );
  });

  it('says closing while one close frame is missing, and closed where no code is known', () => {
    expect(describeFlow(socket({ close: { code: 1000, by: 'client' }, closed: false }))).toMatch(
      /, closing 1000 by client\)$/,
    );
    expect(describeFlow(socket({ closed: true }))).toMatch(/, closed\)$/);
  });

  it('hides what a close reason quotes, and user names in its URL', () => {
    const flow = socket(
      { close: { code: 4003, reason: 'bad token s3cret-token-value', by: 'server' } },
      {
        url: 'wss://ada:pw@app.test/live',
        request: { headers: [['Authorization', 'Bearer s3cret-token-value']] },
      },
    );
    expect(describeFlow(flow)).toMatch(
      /wss:\/\/\[redacted\]@app.*closed 4003 "bad token \[redacted\]" by server/,
    );
    expect(describeFlow(flow, { redact: false })).toMatch(/ada:pw@.*"bad token s3cret-token-value"/);
  });
});

describe('summarize of WebSockets', () => {
  it('keeps its columns', () => {
    const at = (ms: number): FlowSpec => ({ request: { startedAt: EPOCH + ms } });
    const flows = [
      socket({ messages: chat, stream: true, close: { code: 1006, by: 'server' } }, at(1)),
      socket({ messages: from('server', 1, 5) }, { ...at(2), warnings: ['late'] }),
      socket({ close: { code: 1000, by: 'client' } }, { ...at(3), warnings: ['a', 'b'] }),
      makeFlow(at(4)),
    ];
    expect(summarize(flows).split('\n')).toEqual([
      'METHOD  URL                  STATUS      UP   DOWN  BODIES                  TIME',
      'GET     wss://app.test/live  101     1.2 kB  40 kB  15 messages streamed  160 ms  closed 1006 by server',
      'GET     wss://app.test/live  101        0 B    5 B  1 message               open  1 warning',
      'GET     wss://app.test/live  101        0 B    0 B  0 messages             12 ms  closed 1000 by client, 2 warnings',
      'GET     https://app.test/    200        0 B    0 B  -                      40 ms',
    ]);
  });
});

describe('times of a WebSocket', () => {
  it('is in flight until it is closed, also after an error', () => {
    expect(isInFlight(socket({}))).toBe(true);
    expect(isInFlight(socket({ close: { code: 1000 }, closed: false }))).toBe(true);
    expect(isInFlight(socket({ close: { code: 1000 } }))).toBe(false);
    // As a hook's that threw on a streamed connection.
    const error = { code: 'HOOK_FAILED', message: '' } as const;
    expect(isInFlight(socket({}, { error }))).toBe(true);
    expect(isInFlight(socket({ close: { code: 1011 } }, { error }))).toBe(false);
  });

  it('receives until something was last heard', () => {
    const messages = [{ data: 'a', timestamp: EPOCH + 5000 }];
    expect(timesOf(socket({ messages }))).toMatchObject({ send: 2, wait: 10, receive: 4988, total: 5000 });
    expect(timesOf(socket({ messages, pings: [{ at: EPOCH + 7000 }] })).total).toBe(7000);
    expect(timesOf(socket({ messages, pings: [{ at: EPOCH + 20 }] })).total).toBe(5000);
    expect(timesOf(socket({}))).toMatchObject({ receive: -1, total: 12 });
  });
});

describe('payloadText', () => {
  const text = (spec: SocketMessageSpec, limit?: number) => {
    const [message] = socket({ messages: [spec] }).websocket?.messages ?? [];
    return message && payloadText(message, limit);
  };

  it('never cuts a character in two', () => {
    expect(text({ data: 'grün' })).toBe('grün');
    expect(text({ data: 'grün', kept: 3 })).toBe('gr');
    expect(text({ data: 'grün', kept: 4 })).toBe('grü');
    expect(text({ data: 'grün' }, 3)).toBe('gr');
    expect(text({ data: '\ufeffa' })).toBe('\ufeffa');
    expect(text({ data: '\ufeffab', kept: 4 })).toBe('\ufeffa');
  });

  it('has none where octets would be lost', () => {
    expect(text({ data: Buffer.from([0x61, 0xff]), type: 'text' })).toBeUndefined();
    expect(text({ data: Buffer.from([0x61, 0xff, 0x61]), type: 'text', kept: 2 })).toBeUndefined();
  });
});

it('moodOf tells failures from codes of the application', () => {
  const mood = (code?: number) => {
    const { websocket } = socket({ close: { code, by: 'server' } });
    return websocket && moodOf(websocket);
  };
  expect([1000, 1001, 1005, undefined].map(mood)).toEqual(['good', 'good', 'good', 'good']);
  expect([1002, 1006, 1011].map(mood)).toEqual(['bad', 'bad', 'bad']);
  expect([3000, 4001].map(mood)).toEqual(['own', 'own']);
  expect(socket({}).websocket && moodOf(socket({}).websocket as never)).toBe('open');
});
