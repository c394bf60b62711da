import { describe, it } from 'node:test';
import { expect } from 'expect';
import { toHar } from './har.js';
import { Redactor } from './redact.js';
import { EPOCH, type FlowSpec, makeFlow, type SocketMessageSpec, type SocketSpec } from './testing/flows.js';
import type { HarEntry } from './types.js';
import { socketEntry } from './websocket-har.js';
import { MAX_TEXT } from './writer.js';

/** As a reader of the file gets it. */
function entry(websocket: SocketSpec | undefined, more: FlowSpec = {}): HarEntry {
  const flow = makeFlow({ url: 'wss://app.test/live', ...more, websocket });
  const [found] = JSON.parse(JSON.stringify(toHar([flow]))).log.entries as [HarEntry];
  return found;
}

/** Written where only so many characters are left. */
function within(left: number, websocket: SocketSpec): ReturnType<typeof socketEntry> & { left: number } {
  const flow = makeFlow({ websocket });
  if (flow.websocket === undefined) throw new Error('no WebSocket was made');
  const writer = { redactor: new Redactor(), left };
  const written = socketEntry(flow, flow.websocket, writer);
  return { ...written, left: writer.left };
}

describe('toHar of a WebSocket', () => {
  it('writes messages as Chrome does', () => {
    const found = entry({
      messages: [
        { data: '{"say":"grün"}', timestamp: EPOCH + 20.1234 },
        { from: 'server', data: Buffer.from([0, 1, 255]) },
      ],
      close: { code: 1000, reason: 'bye', by: 'client' },
    });
    expect(found._webSocketMessages).toEqual([
      { type: 'send', time: EPOCH / 1000 + 0.020123, opcode: 1, data: '{"say":"grün"}' },
      { type: 'receive', time: EPOCH / 1000 + 0.03, opcode: 2, data: 'AAH/' },
    ]);
    expect(found).toMatchObject({
      _resourceType: 'websocket',
      _webSocketClose: { code: 1000, reason: 'bye', by: 'client' },
      request: { url: 'wss://app.test/live' },
      timings: { send: 2, wait: 10, receive: 18 },
      time: 30,
    });
    for (const absent of ['comment', '_webSocketPings', '_webSocketStreamed']) {
      expect(found).not.toHaveProperty(absent);
    }
  });

  it('has a handshake without a body', () => {
    const { response } = entry({ stream: true });
    expect(response).toMatchObject({ status: 101, bodySize: 0, content: { size: 0, mimeType: 'x-unknown' } });
    expect(response.content).not.toHaveProperty('comment');
    expect(response).not.toHaveProperty('_streamed');
    expect(response).not.toHaveProperty('_transfer');
  });

  it('says that it is open, or streamed', () => {
    const open = entry({ stream: true });
    expect(open.comment).toBe('This WebSocket was still open when the file was written.');
    expect(open._webSocketStreamed).toBe(true);
    expect(open._webSocketMessages).toEqual([]);
    expect(open).not.toHaveProperty('_webSocketClose');
    expect(open.timings.receive).toBe(-1);
  });

  it('marks what is not as usual', () => {
    const messages: SocketMessageSpec[] = [
      { data: 'ab', fragments: [1, 1] },
      { data: 'a', dropped: true },
      { data: 'b', injected: true },
      { data: 'c', edited: true },
      { data: 'grün', kept: 3 },
      { data: Buffer.from([0x61, 0xff]), type: 'text' },
      { data: Buffer.from([1, 2, 3]), kept: 1 },
    ];
    const strip = ({ time, type, ...rest }: NonNullable<HarEntry['_webSocketMessages']>[number]) => rest;
    expect(entry({ messages })._webSocketMessages?.map(strip)).toEqual([
      { opcode: 1, data: 'ab', _frames: 2 },
      { opcode: 1, data: 'a', _dropped: true },
      { opcode: 1, data: 'b', _injected: true },
      { opcode: 1, data: 'c', _edited: true },
      { opcode: 1, data: 'gr', _truncated: true, _size: 5 },
      { opcode: 1, data: 'a\ufffd', _base64: 'Yf8=' },
      { opcode: 2, data: 'AQ==', _truncated: true, _size: 3 },
    ]);
  });

  it('writes pings beside the messages', () => {
    const pings: SocketSpec['pings'] = [
      { at: EPOCH + 500, from: 'server', data: 'hb' },
      { at: EPOCH + 501, type: 'pong', data: 'hb' },
    ];
    expect(entry({ pings })._webSocketPings).toEqual([
      { type: 'receive', time: EPOCH / 1000 + 0.5, opcode: 9, data: 'aGI=' },
      { type: 'send', time: EPOCH / 1000 + 0.501, opcode: 10, data: 'aGI=' },
    ]);
  });

  it('hides what a close reason quotes, and user names', () => {
    const found = entry(
      { close: { code: 4003, reason: 'bad s3cret-token-value', by: 'server' } },
      {
        url: 'wss://ada:pw@app.test/',
        request: { headers: [['Authorization', 'Bearer s3cret-token-value']] },
      },
    );
    expect(JSON.stringify(found)).not.toMatch(/s3cret|ada:pw/);
    expect(found._webSocketClose?.reason).toBe('bad [redacted]');
  });

  it('calls a refused handshake a websocket, and no other upgrade', () => {
    const refused = entry(undefined, { response: { status: 403, body: 'no' } });
    expect(refused).toMatchObject({ _resourceType: 'websocket', response: { content: { text: 'no' } } });
    expect(refused).not.toHaveProperty('_webSocketMessages');
    expect(entry(undefined, { url: 'https://app.test/' })).not.toHaveProperty('_resourceType');
  });
});

describe('room in a file', () => {
  it('leaves payloads out that it does not have, and says so', () => {
    const messages = [
      { data: 'x'.repeat(50) },
      { data: 'y'.repeat(2000) },
      { data: Buffer.alloc(300) },
      { data: 'z' },
    ];
    const { _webSocketMessages: written, notes, left } = within(1000, { messages });
    expect(written?.map(({ data, _size }) => [data.length, _size])).toEqual([
      [50, undefined],
      [0, 2000],
      [400, undefined],
      [1, undefined],
    ]);
    expect(written?.[1]?.comment).toMatch(/^The payload \(2000 bytes\) was left out: /);
    expect(notes).toEqual([]);
    expect(left).toBe(1000 - 4 * 100 - 50 - 400 - 1);
  });

  it('counts pings', () => {
    expect(within(1000, { pings: [{ at: EPOCH, data: 'x'.repeat(60) }] }).left).toBe(1000 - 100 - 80);
  });

  it('counts small messages too', () => {
    const messages = Array.from({ length: 20 }, () => ({ data: '' }));
    const found = within(1000, { messages, pings: [{ at: EPOCH }] });
    expect(found._webSocketMessages).toHaveLength(10);
    expect(found._webSocketPings).toBeUndefined();
    expect(found.notes).toEqual([
      expect.stringMatching(/^What came after the first 10 of 20 messages was left out: /),
      expect.stringMatching(/^What came after the first 0 of 1 pings and pongs was left out: /),
    ]);
  });

  it('puts what is missing into the comment of the entry', () => {
    // It takes all the room there is, but for what a message costs besides.
    const messages = [{ data: Buffer.alloc(((MAX_TEXT - 100) / 4) * 3) }, { data: 'end' }];
    const [found] = toHar([makeFlow({ websocket: { messages, close: { code: 1000 } } })]).log.entries;
    expect(found?._webSocketMessages?.map(({ data }) => data.length)).toEqual([MAX_TEXT - 100]);
    expect(found?.comment).toMatch(/^What came after the first 1 of 2 messages was left out: /);
  });
});
