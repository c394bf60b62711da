import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { expect } from 'expect';
import { EventLog } from '../flow/events.js';
import { Headers } from '../flow/headers.js';
import { ResponseRecord } from '../flow/response.js';
import type { BodyOutlet, BodySource } from './body.js';
import { EventTap } from './event-tap.js';
import { HeldOutlet } from './held-outlet.js';
import { RelayedBody } from './relayed-body.js';
import { Taps } from './taps.js';
import { TransformedBody } from './transformed-body.js';

/** Both ends of a body, without a connection. What is written notes how many events are recorded by then. */
class Ends implements BodySource, BodyOutlet {
  onDrain: (() => void) | undefined;
  paused = false;
  roomy = true;
  readonly log = new EventLog();
  readonly told: string[] = [];
  readonly written: { bytes: Buffer; events: number }[] = [];
  #enough: (() => void) | undefined;

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  lend(): () => void {
    return () => undefined;
  }

  raw(bytes: Buffer, written: () => void): boolean {
    this.written.push({ bytes: Buffer.from(bytes), events: this.log.events.length });
    written();
    this.#enough?.();
    return this.roomy;
  }

  piece(bytes: Buffer, written: () => void): boolean {
    return this.raw(bytes, written);
  }

  end(_lastLine: string | undefined, _trailers: Headers | undefined, written: () => void): void {
    this.raw(Buffer.from('end'), written);
  }

  /** Resolves when so much has been written. */
  writes(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#enough = () => this.written.length >= count && resolve();
      this.#enough();
    });
  }

  get sent(): Buffer {
    return Buffer.concat(this.written.map(({ bytes }) => bytes));
  }

  get data(): string[] {
    return this.log.events.map(({ data }) => data);
  }

  tap(encoding?: string): EventTap {
    return new EventTap(this.log, encoding, {
      changed: () => this.told.push(`${this.log.events.length} recorded`),
      unreadable: (why) => this.told.push(why),
    });
  }

  /** A relayed body, set up as an exchange does it. `over` resolves at its end. */
  relayed(encoding?: string): { body: RelayedBody; taps: Taps; over: Promise<void> } {
    const headers = Headers.from(encoding === undefined ? {} : { 'Content-Encoding': encoding });
    const head = { status: 200, statusText: '', version: '1.1', headers };
    const message = new ResponseRecord({ warn: () => undefined }, head);
    const tap = this.tap(encoding);
    const wishes = { body: false, parts: false, partDigests: false };
    const taps = new Taps(message, message.transfer.received, wishes, tap);
    const outlet = tap.slow ? new HeldOutlet(this, tap) : this;
    let ended: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      ended = resolve;
    });
    return { body: new RelayedBody(message, this, outlet, taps, true, ended), taps, over };
  }
}

function tell(body: RelayedBody | TransformedBody, bytes: Buffer): void {
  body.data(bytes, 0, bytes.length);
  body.wire(bytes, 0, bytes.length);
}

/** The octets that a server sends for each text, when it flushes after each. */
async function encode(
  encoder: zlib.Gzip | zlib.BrotliCompress,
  texts: (string | Buffer)[],
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (const text of texts) {
    const sent: Buffer[] = [];
    const take = (part: Buffer) => sent.push(part);
    encoder.on('data', take);
    encoder.write(text);
    await new Promise<void>((resolve) => encoder.flush(resolve));
    encoder.off('data', take);
    parts.push(Buffer.concat(sent));
  }
  return parts;
}

const FAST = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
const EVENTS = ['data: 1\n\n', 'data: 2\n\ndata: 3\n', '\n: a comment\n', 'data: 4\n\n'];
/** Events that are in the record when each of these leaves. */
const BY_THEN = [1, 2, 3, 4];

describe('events of a relayed body', () => {
  it('are recorded before their octets are written', () => {
    const ends = new Ends();
    const { body } = ends.relayed();
    for (const text of EVENTS) tell(body, Buffer.from(text));
    expect(ends.written.map(({ events }) => events)).toEqual(BY_THEN);
    expect(ends.data).toEqual(['1', '2', '3', '4']);
    expect(ends.told).toEqual(['1 recorded', '2 recorded', '3 recorded', '4 recorded']);
    expect(ends.paused).toBe(false);
  });

  const encoders: Record<string, () => zlib.Gzip | zlib.BrotliCompress> = {
    gzip: () => zlib.createGzip(),
    deflate: () => zlib.createDeflate(),
    br: () => zlib.createBrotliCompress(),
  };
  for (const [coding, encoder] of Object.entries(encoders)) {
    it(`are recorded before their octets are written: ${coding}, which is decoded meanwhile`, async () => {
      const ends = new Ends();
      const { body, over } = ends.relayed(coding);
      const parts = await encode(encoder(), EVENTS);
      for (const part of parts) tell(body, part);
      expect(ends.written).toEqual([]);
      expect(ends.paused).toBe(true);
      await ends.writes(4);
      expect(ends.written.map(({ events }) => events)).toEqual(BY_THEN);
      expect(ends.paused).toBe(false);
      body.end(undefined, undefined);
      await over;
      expect(ends.sent).toEqual(Buffer.concat(parts));
      expect(ends.data).toEqual(['1', '2', '3', '4']);
    });
  }

  it('are recorded before their octets are written: through two codings', async () => {
    const ends = new Ends();
    const { body, over } = ends.relayed('br, gzip');
    const parts = await encode(zlib.createGzip(), await encode(zlib.createBrotliCompress(), EVENTS));
    for (const part of parts) tell(body, part);
    body.end(undefined, undefined);
    await over;
    expect(ends.written.map(({ events }) => events)).toEqual(BY_THEN);
    expect(ends.sent).toEqual(Buffer.concat(parts));
  });

  it('are recorded before their octets are written: where the first of two decoders waits for the second', async () => {
    const ends = new Ends();
    const { body } = ends.relayed('br, gzip');
    // Hardly anything comes of the second coding: so much is between the two that it fills what is there.
    const noise = randomBytes(2_000_000).toString('base64');
    const texts = ['data: 1\n\n', `: ${noise}\ndata: 2\n\n`, 'data: 3\n\n'];
    const parts = await encode(zlib.createGzip(), await encode(zlib.createBrotliCompress(FAST), texts));
    for (const part of parts) tell(body, part);
    await ends.writes(3);
    expect(ends.written.map(({ events }) => events)).toEqual([1, 2, 3]);
  });

  it('are all recorded when the body ends, however much comes of few octets', async () => {
    const ends = new Ends();
    const { body, over } = ends.relayed('gzip');
    const part = zlib.gzipSync(`${': nothing\n'.repeat(500_000)}data: 1\n\n`);
    tell(body, part);
    body.end(undefined, undefined);
    await over;
    expect(ends.written).toEqual([{ bytes: part, events: 1 }]);
  });

  it('hold the source until outlet and decoder have room', async () => {
    const ends = new Ends();
    const { body } = ends.relayed('gzip');
    const parts = await encode(zlib.createGzip(), EVENTS);
    ends.roomy = false;
    for (const part of parts.slice(0, 2)) tell(body, part);
    await ends.writes(2);
    expect(ends.paused).toBe(true);
    ends.onDrain?.();
    expect(ends.paused).toBe(false);
  });

  it('leave the octets alone where they are not encoded as the head says', async () => {
    for (const [coding, why] of [
      ['gzip', 'incorrect header check'],
      ['unheard-of', 'Content-Encoding unheard-of is not known'],
    ] as const) {
      const ends = new Ends();
      const { body, over } = ends.relayed(coding);
      for (const text of EVENTS) tell(body, Buffer.from(text));
      await ends.writes(4);
      body.end(undefined, undefined);
      await over;
      expect(ends.sent.toString()).toBe(EVENTS.join(''));
      expect(ends.paused).toBe(false);
      expect([ends.data, ends.log.truncated, ends.told]).toEqual([[], true, [why, '0 recorded']]);
    }
  });

  it('leave alone what follows after encoded content has ended', async () => {
    for (const [coding, encodeAll] of [
      ['deflate', zlib.deflateSync],
      ['br', zlib.brotliCompressSync],
      ['br, deflate', (content: Buffer) => zlib.deflateSync(zlib.brotliCompressSync(content))],
    ] as const) {
      const ends = new Ends();
      const { body, over } = ends.relayed(coding);
      const ending = Buffer.concat([encodeAll(Buffer.from('data: 1\n\n')), Buffer.from('garbage')]);
      const parts = [ending, Buffer.from('more')];
      for (const part of parts) tell(body, part);
      await ends.writes(2);
      tell(body, Buffer.from('late'));
      body.end(undefined, undefined);
      await over;
      expect(ends.sent).toEqual(Buffer.concat([...parts, Buffer.from('late')]));
      expect([ends.data, ends.told, ends.log.truncated]).toEqual([['1'], ['1 recorded'], false]);
    }
  });

  it('are not recorded beyond the limit, and all octets go on', async () => {
    for (const coding of [undefined, 'gzip'] as const) {
      const ends = new Ends();
      const { body, over } = ends.relayed(coding);
      const all = Buffer.from('data: x\n\n'.repeat(10_001));
      const parts = [all, Buffer.from('data: y\n\n')];
      const sent = coding === undefined ? parts : await encode(zlib.createGzip(), parts);
      for (const part of sent) tell(body, part);
      body.end(undefined, undefined);
      await over;
      expect(ends.sent).toEqual(Buffer.concat(sent));
      expect([ends.data.length, ends.log.truncated]).toEqual([10_000, true]);
      if (coding === undefined) expect(ends.told).toEqual(['10000 recorded']);
    }
  });

  it('are of the octets as they were, whatever becomes of their buffer', async () => {
    const ends = new Ends();
    const tap = ends.tap('gzip');
    const [part = Buffer.alloc(0)] = await encode(zlib.createGzip(), EVENTS);
    tap.write(part);
    part.fill(0);
    await new Promise<void>((resolve) => tap.settled(resolve));
    expect(ends.data).toEqual(['1']);
    tap.destroy();
  });

  it('of one that is aborted are dropped with what was held', async () => {
    const ends = new Ends();
    const { body } = ends.relayed('gzip');
    const [part = Buffer.alloc(0)] = await encode(zlib.createGzip(), EVENTS);
    tell(body, part);
    body.abort();
    // Another decoder's work comes after this one's.
    await encode(zlib.createGzip(), EVENTS);
    expect([ends.written, ends.data]).toEqual([[], []]);
  });
});

describe('events of a transformed body', () => {
  it('are those that the transform yields, recorded before these are written', async () => {
    const ends = new Ends();
    const headers = Headers.from({});
    const message = new ResponseRecord(
      { warn: () => undefined },
      {
        status: 200,
        statusText: '',
        version: '1.1',
        headers,
      },
    );
    const wishes = { body: false, parts: false, partDigests: false };
    const taps = {
      received: new Taps(message, message.transfer.received, wishes),
      sent: new Taps(message, message.transfer.sent, wishes, ends.tap()),
    };
    await new Promise<void>((resolve, reject) => {
      const body = new TransformedBody(message, ends, ends, taps, undefined, {
        end: () => resolve(),
        sourceEnded: () => undefined,
        failed: reject,
      });
      body.start(async function* (pieces) {
        for await (const piece of pieces) yield piece.toString().toUpperCase().replaceAll('DATA', 'data');
        yield 'data: added\n\n';
      });
      tell(body, Buffer.from('data: one\n\n'));
      body.end(undefined, undefined);
    });
    expect(ends.data).toEqual(['ONE', 'added']);
    expect(ends.written.map(({ events }) => events)).toEqual([1, 2]);
  });
});
