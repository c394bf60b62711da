import { describe, it } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { expect } from 'expect';
import { matchesSubset } from './subset.js';

describe('matchesSubset', () => {
  it('asks of objects no more than the expected keys', () => {
    expect(matchesSubset({ a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } })).toBe(true);
    expect(matchesSubset({ a: 1 }, { a: 2 })).toBe(false);
    expect(matchesSubset({ a: 1 }, { b: undefined })).toBe(false);
    expect(matchesSubset({ a: 1 }, {})).toBe(true);
    expect(matchesSubset(null, {})).toBe(false);
    expect(matchesSubset('a', {})).toBe(false);
  });

  it('asks of arrays the same length and each element as a subset', () => {
    expect(matchesSubset([{ a: 1, b: 2 }, 3], [{ a: 1 }, 3])).toBe(true);
    expect(matchesSubset([1, 2], [1])).toBe(false);
    expect(matchesSubset([1], [1, 2])).toBe(false);
    expect(matchesSubset({ 0: 1, length: 1 }, [1])).toBe(false);
    expect(matchesSubset([1], { 0: 1 })).toBe(false);
  });

  it('compares primitives by Object.is', () => {
    expect(matchesSubset(Number.NaN, Number.NaN)).toBe(true);
    expect(matchesSubset(0, -0)).toBe(false);
    expect(matchesSubset('1', 1)).toBe(false);
    expect(matchesSubset(null, undefined)).toBe(false);
  });

  it('asks asymmetric matchers, at any depth', () => {
    expect(
      matchesSubset({ id: 7, tags: ['x'] }, { id: expect.any(Number), tags: expect.arrayContaining(['x']) }),
    ).toBe(true);
    expect(matchesSubset({ id: '7' }, { id: expect.any(Number) })).toBe(false);
    expect(matchesSubset([{ id: 7 }], [expect.not.objectContaining({ id: 7 })])).toBe(false);
  });

  it('looks for a RegExp in strings, whatever was done with it before', () => {
    const pattern = /b/g;
    expect(matchesSubset({ a: 'abc' }, { a: pattern })).toBe(true);
    expect(matchesSubset({ a: 'abc' }, { a: pattern })).toBe(true);
    expect(matchesSubset({ a: 'xyz' }, { a: pattern })).toBe(false);
    expect(matchesSubset(5, /5/)).toBe(false);
    expect(matchesSubset(/b/g, /b/g)).toBe(true);
  });

  it('compares dates by time, and maps and buffers by content', () => {
    expect(matchesSubset(new Date(5), new Date(5))).toBe(true);
    expect(matchesSubset(new Date(5), new Date(6))).toBe(false);
    expect(matchesSubset(new Map([[1, 2]]), new Map([[1, 3]]))).toBe(false);
    expect(matchesSubset(Buffer.from('a'), Buffer.from('a'))).toBe(true);
    expect(matchesSubset(Buffer.from('a'), Buffer.from('b'))).toBe(false);
  });

  it('takes values of another realm, as a Jest test has them', () => {
    const other = (code: string): unknown => runInContext(code, createContext({}));
    expect(matchesSubset({ a: [1], b: 'x' }, other('({ a: [1], b: /x/ })'))).toBe(true);
    expect(matchesSubset(new Date(5), other('new Date(5)'))).toBe(true);
  });

  it('ends on values that contain themselves', () => {
    const actual: Record<string, unknown> = { a: 1 };
    actual.self = actual;
    const expected: Record<string, unknown> = { a: 1 };
    expected.self = { self: expected };
    expect(matchesSubset(actual, expected)).toBe(true);
    expected.a = 2;
    expect(matchesSubset(actual, expected)).toBe(false);
  });
});
