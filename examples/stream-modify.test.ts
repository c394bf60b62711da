import { describe, it } from 'node:test';
import { expect } from 'expect';
import type { TransformContext } from '../src/index.js';
import { replaceWord } from './stream-modify.js';

async function* each(pieces: Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

/** What comes out of the transform for these pieces. */
async function run(from: string, to: string, pieces: Buffer[]): Promise<string> {
  const out: Uint8Array[] = [];
  // The transform looks at the pieces only.
  for await (const piece of replaceWord(from, to)(each(pieces), {} as TransformContext)) {
    out.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
  }
  return Buffer.concat(out).toString();
}

/** Every way to cut a text into two or three pieces. */
function* cuts(text: string): Generator<Buffer[]> {
  const bytes = Buffer.from(text);
  for (let a = 0; a <= bytes.length; a++) {
    for (let b = a; b <= bytes.length; b++) {
      yield [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)];
    }
  }
}

describe('replaceWord', () => {
  const cases: [what: string, from: string, to: string, text: string][] = [
    ['a word in the middle', 'foo', 'bar', 'a foo here'],
    ['at both ends, and twice in a row', 'foo', 'bar', 'foofoo and foo'],
    ['beginnings that lead nowhere', 'foo', 'bar', 'f fo ffo fofo ffoo of'],
    ['a word that overlaps itself', 'abab', '-', 'ababab abababab aba'],
    ['a replacement that contains the word', 'foo', 'foofoo', 'foo, foo'],
    ['a longer and an empty replacement', 'foo', '', 'xfoox foofoo'],
    ['characters of several bytes', 'größe', 'size', 'die größe der größen grö'],
    ['a text without the word', 'foo', 'bar', 'nothing'],
    ['no text', 'foo', 'bar', ''],
  ];
  for (const [what, from, to, text] of cases) {
    it(`replaces ${what}, wherever the pieces are cut`, async () => {
      const wanted = text.replaceAll(from, () => to);
      for (const pieces of cuts(text)) {
        expect({ pieces: pieces.map(String), text: await run(from, to, pieces) }).toEqual({
          pieces: pieces.map(String),
          text: wanted,
        });
      }
      const bytes = Array.from(Buffer.from(text), (byte) => Buffer.from([byte]));
      expect(await run(from, to, bytes)).toBe(wanted);
    });
  }

  it('keeps back no more than the beginning of a word', async () => {
    const out: string[] = [];
    for await (const piece of replaceWord('foo', 'bar')(
      each([Buffer.from('one f'), Buffer.from('ine')]),
      {} as TransformContext,
    )) {
      out.push(piece.toString());
    }
    expect(out.filter((piece) => piece !== '')).toEqual(['one ', 'fine']);
  });

  it('refuses an empty word, which it would find for ever', () => {
    expect(() => replaceWord('', 'x')).toThrow(/empty/);
  });
});
