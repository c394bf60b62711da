import { describe, it } from 'node:test';
import { expect } from 'expect';
import { formatBytes, formatDuration, hexDump, plural, printable, shorten, shortenUrl } from './text.js';

describe('texts for people', () => {
  it('formats bytes', () => {
    const sizes = [0, 3, 999, 1000, 1234, 99_940, 99_960, 999_499, 999_500, 26_214_400, 5e9, 2.5e12];
    expect(sizes.map(formatBytes)).toEqual([
      '0 B',
      '3 B',
      '999 B',
      '1 kB',
      '1.2 kB',
      '99.9 kB',
      '100 kB',
      '999 kB',
      '1 MB',
      '26.2 MB',
      '5 GB',
      '2.5 TB',
    ]);
  });

  it('formats durations', () => {
    expect([0, 0.4, 999.4, 999.6, 1250, 59_999, 125_000].map(formatDuration)).toEqual([
      '0 ms',
      '0 ms',
      '999 ms',
      '1.00 s',
      '1.25 s',
      '1 min 0 s',
      '2 min 5 s',
    ]);
  });

  it('shortens in the middle and keeps one line', () => {
    expect(shorten('abcdefghij', 10)).toBe('abcdefghij');
    expect(shorten('abcdefghijk', 10)).toBe('abcde…hijk');
    expect(shorten('abc', 1)).toBe('…');
    expect(printable('a\tb\r\n\u2028')).toBe('a\\x09b\\x0d\\x0a\\u2028');
  });

  it('shortens a URL where it says least', () => {
    const path = 'https://files.test/reports/2026/summary.pdf';
    expect(shortenUrl(`${path}?v=1`, 64)).toBe(`${path}?v=1`);
    const signed = `${path}?signature=${'0123456789abcdef'.repeat(20)}&id=42`;
    expect(shortenUrl(signed, 64)).toBe(`${path}?signature…cdef&id=42`);
    // Too little of the query would be left to mean anything.
    expect(shortenUrl(signed, 50)).toBe(`${path}?…`);
    expect(shortenUrl(signed, 40)).toBe('https://files.test/…s/2026/summary.pdf?…');
    expect(shortenUrl(`https://app.test/${'x'.repeat(100)}/end?page=2`, 30)).toBe(
      'https://app.tes…xxx/end?page=2',
    );
    expect(shortenUrl(`${path}#${'x'.repeat(50)}`, 46)).toBe(`${path}#…`);
    expect(shortenUrl(`https://app.test/${'x'.repeat(100)}/end`, 30)).toBe('https://app.tes…xxxxxxxxxx/end');
    for (const url of [signed, path, '?', 'a?b']) {
      for (let width = 1; width < 60; width++)
        expect(shortenUrl(url, width).length).toBeLessThanOrEqual(width);
    }
  });

  it('counts and dumps', () => {
    expect([plural(1, 'message'), plural(0, 'message'), plural(12_345, 'ping')]).toEqual([
      '1 message',
      '0 messages',
      '12,345 pings',
    ]);
    expect(hexDump(Buffer.from('0123456789abcdef\n'))).toBe(
      '0000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n' +
        `0010  0a${' '.repeat(45)}  .`,
    );
  });
});
