import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { expect } from 'expect';
import { applyMask } from './mask.js';
import { type StoredPart, WebSocketMessageRecord, WebSocketRecord } from './websocket.js';

const owner = { warn: () => undefined };
const waiter = { message: () => Promise.reject(), close: () => Promise.reject() };

function recordOf(parts: StoredPart[], fragments = [1]): WebSocketMessageRecord {
  const size = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  const facts = {
    from: 'client',
    type: 'binary',
    timestamp: 1,
    parts,
    fragments,
    size,
    truncated: false,
  } as const;
  return new WebSocketMessageRecord(owner, facts);
}

/** The octets as parts of reads, masked as frames of `frame` octets are. */
function masked(content: Buffer, frame: number, read: number): StoredPart[] {
  const parts: StoredPart[] = [];
  for (let begin = 0; begin < content.length; begin += frame) {
    const payload = Buffer.from(content.subarray(begin, begin + frame));
    const key = 0x12345678 + begin;
    applyMask(payload, 0, payload.length, key, 0);
    for (let start = 0; start < payload.length; start += read) {
      parts.push({ bytes: payload, start, end: Math.min(start + read, payload.length), key, phase: start });
    }
  }
  return parts;
}

describe('a message', () => {
  const content = Buffer.from(Array.from({ length: 500 }, (_, i) => (i * 7) & 255));

  it('keeps its beginning when it is truncated, wherever its parts are cut', () => {
    for (const [frame, read] of [
      [500, 500],
      [500, 7],
      [33, 10],
      [1, 1],
    ] as const) {
      for (const limit of [0, 1, 32, 33, 34, 499, 500, 501]) {
        const record = recordOf(masked(content, frame, read));
        record.truncate(limit);
        expect(record.data).toEqual(content.subarray(0, limit));
        expect([record.truncated, record.size]).toEqual([limit < 500, 500]);
      }
    }
  });

  it('does not keep what was cut off', () => {
    const bytes = Buffer.alloc(1024 * 1024);
    const record = recordOf([{ bytes, start: 0, end: bytes.length, key: undefined, phase: 0 }]);
    record.truncate(10);
    expect(record.data.buffer.byteLength).toBeLessThan(bytes.length);
    const read = recordOf([{ bytes, start: 0, end: bytes.length, key: 1, phase: 0 }]);
    expect(read.data).toHaveLength(bytes.length);
    read.truncate(10);
    expect(read.data.buffer.byteLength).toBeLessThan(bytes.length);
  });

  it('is shown as what it says, without the machinery', () => {
    const record = recordOf([{ bytes: Buffer.from('hi'), start: 0, end: 2, key: undefined, phase: 0 }]);
    expect(inspect(record)).toBe(`WebSocketMessage client → server, binary, 2 B: <68 69>`);
    expect(() => JSON.stringify(record)).not.toThrow();
    const socket = new WebSocketRecord(owner, { stream: false, control: { send: () => true } }, waiter);
    socket.messages.push(record);
    expect(inspect(socket)).toContain('WebSocket (open) {');
    expect(inspect(socket)).toContain('client → server, binary, 2 B');
    expect(inspect(socket)).not.toContain('owner');
  });
});
