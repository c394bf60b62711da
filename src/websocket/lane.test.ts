import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'expect';
import { applyMask } from '../flow/mask.js';
import type { WebSocketMessageRecord } from '../flow/websocket.js';
import { octets, split } from '../testing/bytes.js';
import type { DeflateSide } from './extensions.js';
import { FrameScanner } from './frame-scanner.js';
import { withLane } from './testing/laned.js';
import { randomSequence } from './testing/sequence.js';
import { readByWs, type Told, WsCompressor, wsFrame } from './testing/ws.js';

const TAKEOVER: DeflateSide = { noContextTakeover: false, windowBits: 15 };
const KINDS = ['streamed', 'buffered'] as const;
const PEERS = ['client', 'server'] as const;
const KEY = Buffer.from('37fa213d', 'hex');
const isData = ({ type }: Told) => type === 'text' || type === 'binary';
const told = (type: 'text' | 'binary' | 'ping' | 'pong', data: Buffer | string): Told => ({
  type,
  data: Buffer.from(data as string).toString('hex'),
});

interface SeenFrame {
  begin: number;
  end: number;
  opcode: number;
  fin: boolean;
  payload: Buffer;
}

function framesOf(wire: Buffer): SeenFrame[] {
  const frames: SeenFrame[] = [];
  let begin = 0;
  let payload = Buffer.alloc(0);
  const scanner: FrameScanner = new FrameScanner({
    frameStart: (at) => {
      begin = at;
      payload = Buffer.alloc(0);
    },
    payload: (bytes, start, end) => {
      payload = Buffer.from(bytes.subarray(start, end));
      if (scanner.masked) applyMask(payload, 0, payload.length, scanner.key, 0);
    },
    frameEnd: (end) => {
      frames.push({ begin, end, opcode: scanner.opcode, fin: scanner.fin, payload });
    },
  });
  scanner.scan(wire);
  return frames;
}

/** Messages of all kinds: fragments with control frames between them, empty ones, compressed ones. */
async function transcript(from: 'client' | 'server', compressed: boolean): Promise<Buffer> {
  const key = from === 'client' ? { key: KEY } : {};
  const compressor = new WsCompressor(TAKEOVER);
  const hello = await compressor.compress(Buffer.from('Hello'));
  compressor.close();
  const deflated = [
    { opcode: 1, payload: hello.subarray(0, 3), fin: false, compressed },
    { opcode: 10 },
    { opcode: 0, payload: hello.subarray(3) },
    { opcode: 2, payload: Buffer.from([0]), compressed },
  ];
  return Buffer.concat(
    [
      { opcode: 1, payload: 'one' },
      { opcode: 9, payload: 'p' },
      { opcode: 1, payload: 'tw', fin: false },
      { opcode: 9, payload: 'within' },
      { opcode: 0, fin: false },
      { opcode: 0, payload: 'o' },
      { opcode: 2 },
      ...(compressed ? deflated : []),
      { opcode: 2, payload: octets(130) },
      { opcode: 10, payload: 'q' },
    ].map((frame) => wsFrame({ ...frame, ...key })),
  );
}

for (const kind of KINDS) {
  describe(`a ${kind} lane`, () => {
    for (const from of PEERS) {
      for (const compressed of [false, true]) {
        const deflate = compressed ? TAKEOVER : undefined;
        const what = `from the ${from}${compressed ? ', compressed' : ''}`;
        const masked = from === 'client';

        it(`never puts a message of our own inside another, wherever it comes: ${what}`, async () => {
          const wire = await transcript(from, compressed);
          await withLane({ kind, from, deflate }, async ({ lane, source, target, given }) => {
            const own = Buffer.from('our own');
            const total = wire.length + 2 + (masked ? 4 : 0) + own.length;
            for (let cut = 0; cut <= wire.length; cut++) {
              const before = cut * wire.length;
              if (cut > 0) await source.send(wire.subarray(0, cut));
              await given(before + cut);
              lane.inject({ type: 'binary', data: own });
              if (cut < wire.length) await source.send(wire.subarray(cut));
              const got = await target.read(total);

              const frames = framesOf(got);
              const ours = frames.find(({ payload }) => payload.equals(own));
              if (ours === undefined) throw new Error(`cut at ${cut}: it is not there`);
              expect([cut, ours.opcode, ours.fin]).toEqual([cut, 2, true]);
              // Else it stands between two fragments.
              const open = frames.filter(({ end, opcode }) => end <= ours.begin && opcode < 8).at(-1);
              expect([cut, open?.fin ?? true]).toEqual([cut, true]);
              const rest = Buffer.concat([got.subarray(0, ours.begin), got.subarray(ours.end)]);
              if (kind === 'streamed') {
                expect([cut, rest.equals(wire)]).toEqual([cut, true]);
                // It does not wait for longer than it must.
                const gap = gapsOf(wire).find((place) => place >= cut);
                expect([cut, ours.begin]).toEqual([cut, gap]);
              } else {
                // Control frames pass by the message that they stand in.
                const data = (of: Buffer) => framesOf(of).filter(({ opcode }) => opcode < 8);
                const bytes = (of: Buffer) => data(of).map(({ begin, end }) => of.subarray(begin, end));
                expect(Buffer.concat(bytes(rest)).equals(Buffer.concat(bytes(wire)))).toBe(true);
              }
            }
          });
        });

        it(`takes messages of our own while a read is being told, wherever that begins: ${what}`, async () => {
          const wire = await transcript(from, compressed);
          const all: Buffer[] = [];
          let count = 0;
          await withLane({ kind, from, deflate }, async (stage) => {
            const { lane, source, target, given } = stage;
            const own = Buffer.from('own');
            const messages = framesOf(wire).filter(({ opcode, fin }) => opcode < 8 && fin).length;
            stage.onEvent = () => {
              if (lane.inject({ type: 'text', data: own })) count++;
            };
            for (let cut = 0; cut < wire.length; cut++) {
              if (cut > 0) await source.send(wire.subarray(0, cut));
              await given(cut * wire.length + cut);
              await source.send(wire.subarray(cut));
              await given((cut + 1) * wire.length);
              while (stage.messages.length < (cut + 1) * messages) await setImmediate();
              const before = all.reduce((sum, { length }) => sum + length, 0);
              const ours = count * (2 + (masked ? 4 : 0) + own.length);
              const got = await target.read((cut + 1) * wire.length + ours - before);
              all.push(got);
              if (kind === 'buffered') continue;
              const others = framesOf(got).filter(({ payload }) => !payload.equals(own));
              const rest = Buffer.concat(others.map(({ begin, end }) => got.subarray(begin, end)));
              expect([cut, rest.equals(wire)]).toEqual([cut, true]);
            }
          });
          // It would not be understood if one stood inside another.
          const seen = await readByWs(Buffer.concat(all), { masked, deflate });
          const isOurs = ({ type, data }: Partial<{ type: string; data: string }>) =>
            type === 'text' && data === Buffer.from('own').toString('hex');
          expect(seen.filter(isOurs).length).toBe(count);
          const once = await readByWs(wire, { masked, deflate });
          expect(count).toBe(wire.length * once.length);
          const others = seen.filter((one) => isData(one) && !isOurs(one));
          expect(others).toEqual(Array.from(wire, () => once.filter(isData)).flat());
        });
      }
    }

    it('passes on exactly what came, wherever it is cut, and records what it says', async () => {
      for (let seed = 1; seed <= 40; seed++) {
        const { masked, deflate, wire, told, fragments } = await randomSequence(seed);
        const from = masked ? 'client' : 'server';
        await withLane({ kind, from, deflate }, async (stage) => {
          const sent = split(wire, 1 + (seed % 30), seed).map((piece) => stage.source.send(piece));
          const got = await stage.target.read(wire.length);
          await Promise.all(sent);
          while (stage.done.length < fragments.length) await setImmediate();
          if (kind === 'streamed') expect([seed, got.equals(wire)]).toEqual([seed, true]);
          else expect([seed, sorted(got).equals(sorted(wire))]).toEqual([seed, true]);
          const byWs = await readByWs(got, { masked, deflate });
          expect([seed, byWs.filter(isData)]).toEqual([seed, told.filter(isData)]);
          const messages = stage.messages.map(
            ({ type, data }): Told => ({ type, data: data.toString('hex') }),
          );
          expect(messages).toEqual(told.filter(isData));
          expect(stage.messages.map(({ fragments }) => fragments)).toEqual(fragments);
          expect(stage.told).toEqual(told.filter((one) => !isData(one)));
          expect(stage.lane.closeSeen).toBe(true);
        });
      }
    });
  });
}

/** Where a message may stand: not in a frame, and not between the first and the last fragment of a message. */
function gapsOf(wire: Buffer): number[] {
  let open = false;
  const gaps = [0];
  for (const { opcode, fin, end } of framesOf(wire)) {
    if (opcode < 8) open = !fin;
    if (!open) gaps.push(end);
  }
  return gaps;
}

/** The same octets with control frames before data: in a buffered lane they pass by the message that they stand in. */
function sorted(wire: Buffer): Buffer {
  const frames = framesOf(wire);
  const take = (control: boolean) =>
    frames.filter(({ opcode }) => opcode >= 8 === control).map(({ begin, end }) => wire.subarray(begin, end));
  return Buffer.concat([...take(true), ...take(false)]);
}

describe('a buffered lane with hooks', () => {
  it('holds a message until they have seen it; control frames and messages of our own pass by it', () => {
    let go: () => void = () => undefined;
    const hooks = () =>
      new Promise<void>((resolve) => {
        go = resolve;
      });
    return withLane({ kind: 'buffered', from: 'client', hooks }, async ({ lane, source, target, given }) => {
      const frame = (opcode: number, payload: string, fin = true) =>
        wsFrame({ opcode, payload, fin, key: KEY });
      const first = Buffer.concat([frame(1, 'he', false), frame(9, 'ping'), frame(0, 'ld')]);
      await source.send(first, frame(1, 'next'), frame(9, 'late'));
      await given(first.length);
      lane.inject({ type: 'text', data: Buffer.from('own') });
      expect((await target.read(10)).equals(frame(9, 'ping'))).toBe(true);
      expect(framesOf(await target.read(9))[0]?.payload.toString()).toBe('own');
      go();
      const held = Buffer.concat([frame(1, 'he', false), frame(0, 'ld')]);
      expect((await target.read(held.length)).equals(held)).toBe(true);
      // What came in the same read waits for its turn.
      await setImmediate();
      expect(target.unread.length).toBe(0);
      go();
      const rest = Buffer.concat([frame(1, 'next'), frame(9, 'late')]);
      expect((await target.read(rest.length)).equals(rest)).toBe(true);
    });
  });

  it('writes edited and dropped messages so that the other end understands all of them', async () => {
    for (let seed = 100; seed < 140; seed++) {
      const { masked, deflate, wire, told: all } = await randomSequence(seed, { close: false });
      const from = masked ? 'client' : 'server';
      const expected: Told[] = [];
      let count = 0;
      const hooks = (message: WebSocketMessageRecord) => {
        const turn = (seed + count++) % 5;
        const data = Buffer.from(message.data);
        const run = () => {
          if (turn === 0) return message.drop();
          if (turn === 1) message.data = Buffer.concat([data, Buffer.from('more')]);
          if (turn === 2) message.data = message.type === 'text' ? 'x'.repeat(data.length) : data.reverse();
          expected.push({ type: message.type, data: Buffer.from(message.data).toString('hex') });
        };
        // Some take their time.
        if (count % 3 === 0) return setImmediate().then(run);
        run();
        return undefined;
      };
      await withLane({ kind: 'buffered', from, deflate, hooks }, async (stage) => {
        for (const piece of split(wire, 1 + (seed % 10), seed)) await stage.source.send(piece);
        while (stage.done.length < all.filter(isData).length) await setImmediate();
        stage.lane.inject({ type: 'text', data: Buffer.from('the end') });
        const mark = masked ? 13 : 9;
        // Everything up to our own.
        let got = Buffer.alloc(0);
        while (framesOf(got).at(-1)?.payload.toString() !== 'the end')
          got = Buffer.concat([
            got,
            await stage.target.read(1),
            await stage.target.read(stage.target.unread.length),
          ]);
        expect(got.length).toBeGreaterThanOrEqual(mark);
        const seen = await readByWs(got, { masked, deflate });
        expect([seed, seen.filter(isData)]).toEqual([seed, [...expected, told('text', 'the end')]]);
        expect(seen.filter((one) => !isData(one))).toEqual(all.filter((one) => !isData(one)));
      });
    }
  });

  it('loses nothing of a read behind a final block that was decompressed before its message ended', async () => {
    await withLane(
      { kind: 'buffered', from: 'server', deflate: TAKEOVER },
      async ({ source, target, done }) => {
        const message = Buffer.from('f348cdc9c9070000', 'hex');
        const first = wsFrame({ opcode: 1, payload: message, fin: false, compressed: true });
        const rest = Buffer.concat([wsFrame({ opcode: 0 }), wsFrame({ opcode: 1, payload: 'next' })]);
        await source.send(first);
        // Long enough for the decompression to see the end of it.
        for (let i = 0; i < 50; i++) await setImmediate();
        await source.send(rest);
        const wire = Buffer.concat([first, rest]);
        expect((await target.read(wire.length)).equals(wire)).toBe(true);
        expect(done.map((record) => record.text())).toEqual(['Hello', 'next']);
      },
    );
  });

  it('says nothing of what stands behind a violation', () =>
    withLane(
      { kind: 'buffered', from: 'server' },
      async ({ source, target, messages, told: seen, given }) => {
        const good = Buffer.concat([
          wsFrame({ opcode: 1, payload: 'good' }),
          wsFrame({ opcode: 9, payload: 'p' }),
        ]);
        const after = Buffer.concat([
          wsFrame({ opcode: 9, payload: 'q' }),
          wsFrame({ opcode: 1, payload: 'late' }),
        ]);
        const wire = Buffer.concat([good, Buffer.from('8980000000008300', 'hex'), after]);
        await source.send(wire);
        await given(wire.length);
        expect((await target.read(good.length)).equals(good)).toBe(true);
        expect(seen).toEqual([told('ping', 'p'), { type: 'error', code: 1002 }]);
        expect(messages.map((message) => message.text())).toEqual(['good']);
      },
    ));
});
