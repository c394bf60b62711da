import { describe, it } from 'node:test';
import { expect } from 'expect';
import { parseFields } from '../http1/head.js';
import { Headers } from './headers.js';

const SOURCE = 'Host:  a.test\r\nX-Dup: 1\r\nKEEP:\tas is \r\nx-dup:2\r\n';
const parsed = () => parseFields(SOURCE, 0);

describe('Headers', () => {
  it('finds fields whatever their case, joins repeated ones, and lists them as they came', () => {
    const headers = parsed();
    expect(headers.get('X-DUP')).toBe('1, 2');
    expect(headers.getAll('x-dup')).toEqual(['1', '2']);
    expect(headers.get('host')).toBe('a.test');
    expect(headers.get('none')).toBeUndefined();
    expect([headers.has('keep'), headers.has('none')]).toEqual([true, false]);
    expect([...headers]).toEqual([
      ['Host', 'a.test'],
      ['X-Dup', '1'],
      ['KEEP', 'as is'],
      ['x-dup', '2'],
    ]);
    expect(headers.size).toBe(4);
  });

  it('leaves untouched lines as they came', () => {
    const headers = parsed();
    expect(headers.toWire()).toBe(SOURCE);
    headers.append('New', 'n');
    expect(headers.toWire()).toBe(`${SOURCE}New: n\r\n`);
    headers.delete('X-dup');
    expect(headers.toWire()).toBe('Host:  a.test\r\nKEEP:\tas is \r\nNew: n\r\n');
  });

  it('set replaces where the field first stood', () => {
    const headers = parsed();
    headers.set('x-Dup', ['a', 'b', 'c']);
    expect(headers.toWire()).toBe('Host:  a.test\r\nx-Dup: a\r\nx-Dup: b\r\nx-Dup: c\r\nKEEP:\tas is \r\n');
    headers.set('Last', 'z');
    expect(headers.toWire().endsWith('Last: z\r\n')).toBe(true);
    headers.set('x-dup', []);
    expect(headers.has('x-dup')).toBe(false);
  });

  it('rename keeps the place, and gives way to a field that is there already', () => {
    const headers = parsed();
    headers.rename('keep', 'Kept');
    expect([...headers].map(([name]) => name)).toEqual(['Host', 'X-Dup', 'Kept', 'x-dup']);
    headers.rename('kept', 'Host');
    expect([...headers].map(([name]) => name)).toEqual(['Host', 'X-Dup', 'x-dup']);
    expect(headers.get('host')).toBe('a.test');
  });

  it('a clone goes its own way', () => {
    const headers = parsed();
    headers.set('X-Dup', '3');
    const clone = headers.clone();
    clone.set('Host', 'b.test');
    headers.append('Y', '1');
    expect([headers.get('host'), clone.get('host'), clone.has('y')]).toEqual(['a.test', 'b.test', false]);
    expect(clone.toWire()).toBe('Host: b.test\r\nX-Dup: 3\r\nKEEP:\tas is \r\n');
  });

  it('refuses what would not be a field on the wire, and stays as it was', () => {
    const headers = parsed();
    const refused = expect.objectContaining({ code: 'BAD_HEADER' });
    for (const name of ['', 'a b', 'a:', 'ä', 'a\r\nb'])
      expect(() => headers.set(name, 'x')).toThrow(refused);
    for (const value of ['a\r\nb', 'a\nb', 'a\0', '€', ' a', 'a ', 1 as never]) {
      expect(() => headers.set('A', value)).toThrow(refused);
      expect(() => headers.append('A', value)).toThrow(refused);
    }
    expect(() => headers.set('A', ['good', 'b\nad'])).toThrow(refused);
    expect(() => Headers.from({ 'a b': 'x' })).toThrow(refused);
    expect(headers.toWire()).toBe(SOURCE);
  });

  it('takes no more than blanks for the space around a value', () => {
    const headers = new Headers(['A', '\xa0a  b\xa0'], 'A: \t\xa0a  b\xa0 \r\n');
    headers.compact();
    expect(headers.get('a')).toBe('\xa0a  b\xa0');
    headers.rename('A', 'B');
    expect(headers.toWire()).toBe('B: \xa0a  b\xa0\r\n');
  });

  it('asks its guard before each change', () => {
    const headers = parsed();
    const asked: string[] = [];
    headers.guard({
      headMayChange: (what) => {
        asked.push(what);
        return false;
      },
    });
    headers.set('A', '1');
    headers.append('A', '1');
    headers.delete('host');
    expect(headers.toWire()).toBe(SOURCE);
    expect(asked).toEqual(['headers', 'headers', 'headers']);
  });
});
