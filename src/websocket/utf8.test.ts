import { describe, it } from 'node:test';
import { expect } from 'expect';
import { octets } from '../testing/bytes.js';
import { Utf8Check } from './utf8.js';

const VALID = [
  '',
  'plain',
  'é',
  '€',
  '𝄞',
  'a\u0000b',
  // The edges of each row of Unicode's table 3-7.
  '\u007f\u0080\u07ff\u0800\u0fff\u1000\ucfff\ud7ff\ue000\uffff\u{10000}\u{3ffff}\u{40000}\u{fffff}\u{10ffff}',
  'κόσμε, 你好, 😀😀',
].map((text) => Buffer.from(text));

const INVALID: [string, string][] = [
  ['a lone continuation', '80'],
  ['two continuations', '8080'],
  ['one continuation too many', 'c3a9a9'],
  ['an overlong slash of two', 'c0af'],
  ['an overlong of two at its edge', 'c1bf'],
  ['an overlong of three', 'e080af'],
  ['an overlong of three at its edge', 'e09fbf'],
  ['an overlong of four', 'f08080af'],
  ['an overlong of four at its edge', 'f08fbfbf'],
  ['the first surrogate', 'eda080'],
  ['the last surrogate', 'edbfbf'],
  ['a pair of surrogates', 'eda081edb080'],
  ['the first beyond U+10FFFF', 'f4908080'],
  ['f5', 'f5808080'],
  ['five octets', 'f888808080'],
  ['fe', 'fe'],
  ['ff', 'ff'],
  ['a character cut short by ASCII', 'e28261'],
  ['a character cut short by another', 'e282c3a9'],
  ['a cut one at the end of two', 'c3'],
  ['a cut one at the end of three', 'e282'],
  ['a cut one at the end of four', 'f09d84'],
];

function isText(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function judged(check: Utf8Check, parts: readonly Buffer[]): boolean {
  const good = parts.every((part) => check.add(part));
  // Always: it makes the check ready for the next.
  return check.end() && good;
}

/** In two, three, and single octets. */
function* cuts(bytes: Buffer): Generator<Buffer[]> {
  for (let i = 0; i <= bytes.length; i++) {
    for (let j = i; j <= bytes.length; j++)
      yield [bytes.subarray(0, i), bytes.subarray(i, j), bytes.subarray(j)];
  }
  yield Array.from(bytes, (octet) => Buffer.from([octet]));
}

describe('Utf8Check', () => {
  it('takes valid texts, wherever they are cut', () => {
    const check = new Utf8Check();
    for (const bytes of VALID) {
      for (const parts of cuts(bytes)) {
        if (!judged(check, parts)) expect(parts).toBe('taken');
      }
    }
  });

  it('refuses invalid ones, wherever they are cut, in the midst of others and at an end', () => {
    const check = new Utf8Check();
    for (const [what, hex] of INVALID) {
      for (const around of ['', 'a', '€']) {
        const bytes = Buffer.concat([Buffer.from(around), Buffer.from(hex, 'hex')]);
        expect([what, isText(bytes)]).toEqual([what, false]);
        for (const parts of cuts(bytes)) {
          if (judged(check, parts)) expect([what, parts]).toBe('refused');
        }
      }
    }
  });

  it('says so with the first octet that cannot be', () => {
    for (const [hex, bad] of [
      ['c0', 1],
      ['e09f', 2],
      ['eda0', 2],
      ['f08f', 2],
      ['f490', 2],
      ['e28261', 3],
      ['f5', 1],
    ] as const) {
      const check = new Utf8Check();
      const answers = Array.from(Buffer.from(hex, 'hex'), (octet) => check.add(Buffer.from([octet])));
      expect([hex, answers.indexOf(false) + 1]).toEqual([hex, bad]);
    }
  });

  it('says what TextDecoder says of every sequence of up to three octets, whole and octet by octet', () => {
    const check = new Utf8Check();
    // Those next to where the judgement changes.
    const edges = Buffer.from('007f808f909fa0bfc0c1c2dfe0e1ecedeeeff0f1f3f4f5f7f8ff', 'hex');
    for (const a of edges) {
      for (const b of edges) {
        for (const c of edges) {
          for (const d of [0x80, 0xbf, 0x61]) {
            const bytes = Buffer.from([a, b, c, d]);
            const expected = isText(bytes);
            const whole = judged(check, [bytes]);
            const single = judged(
              check,
              Array.from(bytes, (octet) => Buffer.from([octet])),
            );
            if (whole !== expected || single !== expected)
              expect([bytes.toString('hex'), whole, single]).toBe(expected);
          }
        }
      }
    }
  });

  it('keeps the beginning of a character though the read buffer is used again', () => {
    const check = new Utf8Check();
    const read = Buffer.from('ab€').subarray(0, 4);
    expect(check.add(read)).toBe(true);
    read.fill(0xff);
    expect(check.add(Buffer.from('€').subarray(2))).toBe(true);
    expect(check.end()).toBe(true);
  });

  it('agrees with TextDecoder on octets of all kinds', () => {
    const check = new Utf8Check();
    const bytes = Buffer.concat([Buffer.from('ä'.repeat(100)), octets(600)]);
    for (let at = 0; at < bytes.length - 3; at++) {
      const part = bytes.subarray(at, at + 3);
      expect(judged(check, [part])).toBe(isText(part));
    }
  });
});
