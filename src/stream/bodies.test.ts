import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { expect } from 'expect';
import { Headers } from '../flow/headers.js';
import { ResponseRecord } from '../flow/response.js';
import { octets, sha256 } from '../testing/bytes.js';
import type { BodyEnd, BodyEvents, BodyOutlet, BodySource } from './body.js';
import { CollectedBody } from './collected-body.js';
import { RelayedBody } from './relayed-body.js';
import { Taps } from './taps.js';
import { TransformedBody } from './transformed-body.js';

/** Both ends of a body, without a connection: what they are told is what the test looks at. */
class Ends implements BodySource, BodyOutlet {
  onDrain: (() => void) | undefined;
  paused = false;
  roomy = true;
  written: Buffer[] = [];
  readonly #resumed: (() => void)[] = [];

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    for (const resolve of this.#resumed.splice(0)) resolve();
  }

  resumed(): Promise<void> {
    return this.paused ? new Promise((resolve) => this.#resumed.push(resolve)) : Promise.resolve();
  }

  lend(): () => void {
    return () => undefined;
  }

  raw(bytes: Buffer, written: () => void): boolean {
    this.written.push(Buffer.from(bytes));
    written();
    return this.roomy;
  }

  piece(bytes: Buffer, written: () => void): boolean {
    return this.raw(bytes, written);
  }

  end(): void {
    this.written.push(Buffer.from('end'));
  }
}

function response(headers: Record<string, string> = {}): ResponseRecord {
  const head = { status: 200, statusText: '', version: '1.1', headers: Headers.from(headers) };
  return new ResponseRecord({ warn: () => undefined }, head);
}

function tell(body: BodyEvents, bytes: Buffer): void {
  body.data(bytes, 0, bytes.length);
  body.wire(bytes, 0, bytes.length);
}

const CONTENT = octets(3 * 1024 * 1024);
const ZIPPED = gzipSync(CONTENT, { level: 0 });
const WISHES = { body: true, parts: false, partDigests: false };

describe('a body whose content is decoded more slowly than it comes', () => {
  it('is stopped until the decoder has room, whatever the outlet says: relayed', async () => {
    const ends = new Ends();
    const message = response({ 'Content-Encoding': 'gzip' });
    let ended: BodyEnd | undefined;
    const over = new Promise<void>((resolve) => {
      const taps = new Taps(message, message.transfer.received, WISHES);
      const body = new RelayedBody(message, ends, ends, taps, true, (end) => {
        ended = end;
        resolve();
      });
      tell(body, ZIPPED);
      expect(ends.paused).toBe(true);
      ends.onDrain?.();
      expect(ends.paused).toBe(true);
      ends.resumed().then(() => body.end(undefined, undefined));
    });
    expect(ended).toBeUndefined();
    await over;
    expect(message.transfer.received.decoded).toEqual({ bytes: CONTENT.length, sha256: sha256(CONTENT) });
    expect(Buffer.concat(ends.written).equals(ZIPPED)).toBe(true);
  });

  it('is stopped until both have room', async () => {
    const ends = new Ends();
    const message = response({ 'Content-Encoding': 'gzip' });
    const taps = new Taps(message, message.transfer.received, WISHES);
    const body = new RelayedBody(message, ends, ends, taps, true, () => undefined);
    ends.roomy = false;
    tell(body, ZIPPED);
    // The body has set its own: told after it.
    const drained = new Promise<void>((resolve) => {
      const told = taps.onDrain;
      taps.onDrain = () => {
        told?.();
        resolve();
      };
    });
    await drained;
    expect(ends.paused).toBe(true);
    ends.onDrain?.();
    expect(ends.paused).toBe(false);
  });

  it('is stopped until the decoder has room: through a transform', async () => {
    const ends = new Ends();
    const message = response({ 'Content-Encoding': 'gzip' });
    const taps = {
      received: new Taps(message, message.transfer.received, WISHES),
      sent: new Taps(message, message.transfer.sent, { ...WISHES, body: false }),
    };
    const order: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const body = new TransformedBody(message, ends, ends, taps, undefined, {
        end: () => resolve(),
        sourceEnded: () => undefined,
        failed: reject,
      });
      body.start(async function* (pieces) {
        for await (const piece of pieces) yield piece.subarray(0, 1);
      });
      tell(body, ZIPPED.subarray(0, ZIPPED.length - 1));
      expect(ends.paused).toBe(true);
      const told = taps.received.onDrain;
      taps.received.onDrain = () => {
        order.push('decoder has room');
        told?.();
      };
      ends.resumed().then(() => {
        order.push('source goes on');
        tell(body, ZIPPED.subarray(ZIPPED.length - 1));
        body.end(undefined, undefined);
      });
    });
    // The transform had taken everything long before.
    expect(order.slice(0, 2)).toEqual(['decoder has room', 'source goes on']);
    expect(message.transfer.received.decoded).toEqual({ bytes: CONTENT.length, sha256: sha256(CONTENT) });
  });
});

describe('a collected body', () => {
  const collect = (limits: { refuseOver?: number; streamOver?: number } = {}) => {
    const told: string[] = [];
    const message = response();
    const { refuseOver = Number.POSITIVE_INFINITY, streamOver = Number.POSITIVE_INFINITY } = limits;
    const body = new CollectedBody(
      message,
      undefined,
      { refuseOver, streamOver },
      {
        bodyCollected: () => told.push('collected'),
        bodyRefused: () => told.push('refused'),
        bodyOutgrown: () => told.push('outgrown'),
      },
    );
    return { body, told, message };
  };
  const chunkOf = (body: BodyEvents, line: string, data: string) => {
    const wire = Buffer.from(`${line}\r\n${data}\r\n`);
    body.chunk(data.length, Buffer.from(line));
    body.data(wire, line.length + 2, wire.length - 2);
    body.wire(wire, 0, wire.length);
  };

  it('keeps its chunks, and the lines of those that are more than a size', () => {
    const { body, told, message } = collect();
    chunkOf(body, '3', 'abc');
    chunkOf(body, '0A;x=y', '0123456789');
    body.end('0', undefined);
    expect(told).toEqual(['collected']);
    expect(body.chunks).toEqual({ sizes: [3, 10], lines: new Map([[1, '0A;x=y']]) });
    expect(body.take().toString()).toBe('abc0123456789');
    expect(message.transfer.received.pieces.sizes()).toEqual([3, 10]);
  });

  it('keeps no list of more than 4096 chunks, and counts them all the same', () => {
    const { body, message } = collect();
    for (let i = 0; i < 5000; i++) chunkOf(body, '1', 'x');
    body.end('0', undefined);
    expect(body.chunks).toBeUndefined();
    expect(body.take().length).toBe(5000);
    expect(message.transfer.received.pieces.count).toBe(5000);
  });

  it('that is refused or outgrown says so once, strictly over the limit', () => {
    const refused = collect({ refuseOver: 4 });
    tell(refused.body, Buffer.from('abcd'));
    expect(refused.told).toEqual([]);
    tell(refused.body, Buffer.from('e'));
    tell(refused.body, Buffer.from('f'));
    refused.body.end(undefined, undefined);
    expect(refused.told).toEqual(['refused']);
    const outgrown = collect({ streamOver: 4 });
    tell(outgrown.body, Buffer.from('abcd'));
    expect(outgrown.told).toEqual([]);
    tell(outgrown.body, Buffer.from('e'));
    expect(outgrown.told).toEqual(['outgrown']);
  });

  it('tells another body everything that came, more than 4096 chunks included', () => {
    const { body, told } = collect({ streamOver: 5000 });
    for (let i = 0; i < 5000; i++) chunkOf(body, i % 2 === 0 ? '1;e' : '1', 'x');
    const last = Buffer.from('10000\r\nyyy');
    body.chunk(65_536, last.subarray(0, 5));
    body.data(last, 7, 10);
    body.wire(last, 0, last.length);
    expect(told).toEqual(['outgrown']);
    const seen = { chunks: [] as string[], data: '', wire: '' };
    body.replay({
      chunk: (size, line) => seen.chunks.push(`${size} ${line}`),
      data: (bytes, start, end) => {
        seen.data += bytes.toString('latin1', start, end);
      },
      wire: (bytes, start, end) => {
        seen.wire += bytes.toString('latin1', start, end);
      },
      end: () => told.push('end'),
    });
    expect(seen.chunks.length).toBe(5001);
    expect(seen.chunks.slice(-2)).toEqual(['1 1', '65536 10000']);
    expect(seen.data).toBe(`${'x'.repeat(5000)}yyy`);
    expect(seen.wire).toBe(`${'1;e\r\nx\r\n1\r\nx\r\n'.repeat(2500)}10000\r\nyyy`);
    expect(told).toEqual(['outgrown']);
  });
});
