import { describe, it } from 'node:test';
import { expect } from 'expect';
import { describeClosing, describeMessage, listMessages } from './describe-message.js';
import type { WebSocketMessageMatch, WebSocketPeer } from './payload-types.js';
import { sampleFlow } from './testing/sample-flow.js';
import { WebSocketMessageRecord, WebSocketRecord } from './websocket.js';
import { compileMessageMatch } from './websocket-match.js';

/** Nobody waits here. */
const NO_WAITS = { message: () => Promise.reject(), close: () => Promise.reject() };

interface Sample {
  from?: WebSocketPeer;
  injected?: boolean;
  /** The whole payload's size; `data` is its beginning. */
  truncatedOf?: number;
}

const flow = sampleFlow({ url: 'wss://app.test/live' }, { status: 101 });

function message(data: string | Buffer, sample: Sample = {}): WebSocketMessageRecord {
  const bytes = Buffer.from(data as Buffer);
  const { from = 'client', injected = false, truncatedOf } = sample;
  const part = { bytes, start: 0, end: bytes.length, key: undefined, phase: 0 };
  return new WebSocketMessageRecord(flow, {
    from,
    type: typeof data === 'string' ? 'text' : 'binary',
    timestamp: 0,
    parts: [part],
    fragments: [bytes.length],
    size: truncatedOf ?? bytes.length,
    truncated: truncatedOf !== undefined,
    injected,
  });
}

function matches(match: WebSocketMessageMatch, data: string | Buffer, sample?: Sample): boolean {
  return compileMessageMatch(match, 'test').test(message(data, sample));
}

describe('a match of messages', () => {
  it('compares strings exactly, with text messages only', () => {
    expect(matches('grüße', 'grüße')).toBe(true);
    expect(matches('', '')).toBe(true);
    expect(matches('hello', 'hello ')).toBe(false);
    expect(matches('hello', 'Hello')).toBe(false);
    expect(matches('hello', Buffer.from('hello'))).toBe(false);
    expect(matches('{"a":1}', '{ "a": 1 }')).toBe(false);
  });

  it('searches for a RegExp in text messages, whatever it was used for before', () => {
    const sticky = /l+/g;
    for (let i = 0; i < 3; i++) expect(matches(sticky, 'hello')).toBe(true);
    expect(matches(/^l/, 'hello')).toBe(false);
    expect(matches(/hello/, Buffer.from('hello'))).toBe(false);
  });

  it('compares bytes exactly, of both kinds of messages', () => {
    expect(matches(Buffer.from([1, 2, 3]), Buffer.from([1, 2, 3]))).toBe(true);
    expect(matches(new Uint8Array([1, 2, 3]), Buffer.from([1, 2, 3]))).toBe(true);
    expect(matches(new Uint8Array(8).subarray(2, 4), Buffer.alloc(2))).toBe(true);
    expect(matches(Buffer.from('text'), 'text')).toBe(true);
    expect(matches(Buffer.from([1, 2]), Buffer.from([1, 2, 3]))).toBe(false);
    expect(matches(Buffer.from([1, 2, 4]), Buffer.from([1, 2, 3]))).toBe(false);
  });

  it('takes anything else as a subset of JSON', () => {
    const json = '{"type":"add","item":{"id":7,"tags":["a","b"]}}';
    expect(matches({ type: 'add' }, json)).toBe(true);
    expect(matches({ item: { id: expect.any(Number), tags: ['a', /b/] } }, json)).toBe(true);
    expect(matches({ item: { tags: ['a'] } }, json)).toBe(false);
    expect(matches({ type: 'remove' }, json)).toBe(false);
    expect(matches({}, 'no JSON')).toBe(false);
    expect(matches({ type: 'add' }, Buffer.from(json))).toBe(false);
    expect(matches([1, 2], '[1,2]')).toBe(true);
    expect(matches([1], '[1,2]')).toBe(false);
    expect([matches(7, '7'), matches(null, 'null'), matches(true, 'true')]).toEqual([true, true, true]);
    expect([matches(7, '"7"'), matches(null, '0'), matches(false, 'true')]).toEqual([false, false, false]);
  });

  it('asks an asymmetric matcher about the text, its JSON, or the bytes', () => {
    expect(matches(expect.stringContaining('ell'), 'hello')).toBe(true);
    expect(matches(expect.stringContaining('elf'), 'hello')).toBe(false);
    expect(matches(expect.objectContaining({ a: 1 }), '{"a":1,"b":2}')).toBe(true);
    expect(matches(expect.any(Buffer), Buffer.from([1]))).toBe(true);
    expect(matches(expect.stringContaining('h'), Buffer.from('h'))).toBe(false);
  });

  it('asks a negated one about what it is meant for, the text or its JSON', () => {
    expect(matches(expect.not.stringContaining('secret'), '{"a":"secret"}')).toBe(false);
    expect(matches(expect.not.objectContaining({ a: 1 }), '{"a":1}')).toBe(false);
    expect(matches(expect.not.objectContaining({ a: 1 }), '{"a":2}')).toBe(true);
    expect(matches(expect.not.arrayContaining([1]), '[2]')).toBe(true);
    expect(matches(expect.not.arrayContaining([1]), '[1]')).toBe(false);
    expect(matches(expect.not.stringContaining('secret'), 'plain')).toBe(true);
    expect(matches(expect.not.stringMatching(/secret/), '["secret"]')).toBe(false);
  });

  it('asks a function, and refuses the promise that is never false', () => {
    expect(matches((it) => it.from === 'client' && it.size === 2, 'ok')).toBe(true);
    expect(matches((it) => it.size === 3, 'ok')).toBe(false);
    expect(() => matches(async () => false, 'ok')).toThrow(
      expect.objectContaining({ code: 'BAD_MATCH', message: expect.stringContaining('gave a promise') }),
    );
    // What it rejects with is not the process's end.
    expect(() => matches(async () => Promise.reject(new Error('lost')), 'ok')).toThrow(/gave a promise/);
    const thrower = () => {
      throw new Error('my own mistake');
    };
    expect(() => matches(thrower, 'ok')).toThrow('my own mistake');
  });

  it('counts only the messages of one end', () => {
    const goal = compileMessageMatch('x', 'test', 'server');
    expect(goal.test(message('x', { from: 'server' }))).toBe(true);
    expect(goal.test(message('x', { from: 'client' }))).toBe(false);
    expect(goal.describe).toBe('"x" from the server');
    expect(goal.payload).toBe('"x"');
  });

  it('does not take the stored beginning of a message for the whole', () => {
    const cut = { truncatedOf: 100 };
    expect(matches('abc', 'abc', cut)).toBe(false);
    expect(matches(Buffer.from('abc'), Buffer.from('abc'), cut)).toBe(false);
    expect(matches(12, '12', cut)).toBe(false);
    expect(matches({ a: 1 }, '{"a":1}', cut)).toBe(false);
    expect(matches(/^abc/, 'abc', cut)).toBe(true);
    expect(matches((it) => it.truncated, 'abc', cut)).toBe(true);
  });

  it('knows which truncated messages might match', () => {
    const might = (match: WebSocketMessageMatch, data: string | Buffer, truncatedOf?: number) =>
      compileMessageMatch(match, 'test', 'client').mightMatch(message(data, { truncatedOf }));
    expect(might('abcdef', 'abc', 6)).toBe(true);
    expect(might('abcdef', 'abc', 7)).toBe(false);
    expect(might('abcdef', 'abd', 6)).toBe(false);
    expect(might('abcdef', 'abc')).toBe(false);
    expect(might('abcdef', Buffer.from('abc'), 6)).toBe(false);
    expect(might(Buffer.from('abcdef'), Buffer.from('abc'), 6)).toBe(true);
    expect(might({ a: 1 }, ' {"b":"…', 1000)).toBe(true);
    expect(might({ a: 1 }, '["b","…', 1000)).toBe(false);
    expect(might([1], '[1,1,1', 1000)).toBe(true);
    expect(might(/x/, 'abc', 1000)).toBe(true);
    expect(might(/x/, Buffer.from('abc'), 1000)).toBe(false);
    expect(might(() => false, 'abc', 1000)).toBe(true);
    const fromServer = compileMessageMatch(/x/, 'test', 'server');
    expect(fromServer.mightMatch(message('abc', { truncatedOf: 9 }))).toBe(false);
  });

  it('refuses what no message can be', () => {
    const refusal = (match: unknown, from?: unknown) => {
      try {
        compileMessageMatch(match as string, 'toHaveMessage', from as WebSocketPeer);
      } catch (error) {
        const { code, message: text } = error as { code: string; message: string };
        return `${code}: ${text.replace(/; give .*/, '')}`;
      }
      return 'accepted';
    };
    expect(refusal(undefined)).toBe('BAD_MATCH: toHaveMessage: undefined is not accepted');
    expect(refusal(1n)).toBe('BAD_MATCH: toHaveMessage: 1 is not accepted');
    expect(refusal(Symbol('x'))).toBe('BAD_MATCH: toHaveMessage: Symbol(x) is not accepted');
    expect(refusal(Number.NaN)).toBe('BAD_MATCH: toHaveMessage: no JSON holds NaN');
    expect(refusal(new Map())).toBe('BAD_MATCH: toHaveMessage: no JSON holds a Map');
    expect(refusal(new Date(0))).toBe('BAD_MATCH: toHaveMessage: no JSON holds a Date');
    expect(refusal(new ArrayBuffer(2))).toMatch(/bytes in a ArrayBuffer are not accepted/);
    expect(refusal(new Uint16Array(2))).toMatch(/bytes in a Uint16Array are not accepted/);
    expect(refusal(Promise.resolve())).toMatch(/a promise is not accepted; await it first/);
    expect(refusal('x', 'origin')).toBe('BAD_MATCH: toHaveMessage: from "origin" is not accepted');
    class Own {
      type = 'x';
    }
    expect([refusal(new Own()), refusal(Object.create(null))]).toEqual(['accepted', 'accepted']);
  });
});

describe('a message in words', () => {
  it('shows way, type, size and content', () => {
    expect(describeMessage(message('{"a":1}'))).toBe(`client → server, text, 7 B: '{"a":1}'`);
    expect(describeMessage(message("it's\n", { from: 'server' }))).toBe(
      `server → client, text, 5 B: "it's\\n"`,
    );
    expect(describeMessage(message(Buffer.from([0, 255, 16])))).toBe(
      'client → server, binary, 3 B: <00 ff 10>',
    );
    expect(describeMessage(message(''))).toBe("client → server, text, 0 B: ''");
    expect(describeMessage(message(Buffer.alloc(0)))).toBe('client → server, binary, 0 B: <>');
  });

  it('shortens', () => {
    expect(describeMessage(message('é'.repeat(101)))).toBe(
      `client → server, text, 202 B: '${'é'.repeat(100)}'…`,
    );
    // Not in the midst of a character, be it in UTF-16 or in UTF-8.
    expect(describeMessage(message(`${'x'.repeat(99)}😀!`))).toContain(`'${'x'.repeat(99)}'…`);
    expect(describeMessage(message('😀'.repeat(5000)))).toContain(`'${'😀'.repeat(50)}'…`);
    expect(describeMessage(message(Buffer.alloc(17, 7)))).toBe(
      `client → server, binary, 17 B: <${'07 '.repeat(16)}…>`,
    );
  });

  it('marks', () => {
    const marked = message('abc', { injected: true, truncatedOf: 1000 });
    marked.drop();
    expect(describeMessage(marked)).toBe(
      "client → server, text, 1000 B: 'abc' (injected, dropped, truncated: 3 B are stored)",
    );
  });

  it('lists the latest', () => {
    const twelve = Array.from({ length: 12 }, (_, i) => message(`${i + 1}`));
    const lines = listMessages(twelve, { note: (it) => (it.text() === '12' ? 'the last' : undefined) });
    expect(lines.split('\n')).toEqual([
      'Messages, the last 10 of 12:',
      ...twelve.slice(2).map((it) => `  - ${describeMessage(it)}`),
      '      the last',
    ]);
    expect(listMessages(twelve.slice(0, 10), { heading: 'Seen' })).toMatch(/^Seen:\n/);
    expect(listMessages([])).toBe('');
  });

  it('says how a connection was closed', () => {
    const control = { send: () => false };
    const end = (state: Partial<WebSocketRecord>) =>
      describeClosing(Object.assign(new WebSocketRecord(flow, { stream: false, control }, NO_WAITS), state));
    expect(end({})).toBe('open');
    expect(end({ closeCode: 4001, closeReason: 'done', closedBy: 'server', closed: true })).toBe(
      "closed by the server with code 4001 and reason 'done'",
    );
    expect(end({ closeCode: 1000, closeReason: '', closedBy: 'client' })).toBe(
      'being closed by the client with code 1000',
    );
    expect(end({ closeCode: 1006, closeReason: '', closedBy: 'client', closed: true })).toBe(
      'closed by the client without a close frame (code 1006)',
    );
    expect(end({ closeCode: 1005, closeReason: '', closedBy: 'server', closed: true })).toBe(
      'closed by the server without a code (code 1005)',
    );
    expect(end({ closed: true })).toBe('closed');
  });
});
