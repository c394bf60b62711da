import { describe, it } from 'node:test';
import { expect } from 'expect';
import type { HttpFlow } from '../index.js';
import { Progress } from './progress.js';

interface Sides {
  up?: number;
  upOf?: number;
  down?: number;
  downOf?: number;
  transformed?: boolean;
}

/** As much of a flow as is looked at. What is `undefined` is not streamed. */
function flow(url: string, sides: Sides) {
  const message = (bytes: 'up' | 'down', of: 'upOf' | 'downOf') => ({
    complete: false,
    stream: sides.transformed === true ? () => undefined : true,
    get bodyStatus() {
      return sides[bytes] === undefined ? 'recorded' : 'streamed';
    },
    headers: { get: () => (sides[of] === undefined ? undefined : String(sides[of])) },
    transfer: {
      sent: {
        get bytes() {
          return sides[bytes];
        },
      },
    },
  });
  const made = { request: { url, ...message('up', 'upOf') }, response: message('down', 'downOf') };
  Object.defineProperties(made.request, Object.getOwnPropertyDescriptors(message('up', 'upOf')));
  return made as unknown as HttpFlow;
}

const URL = 'http://app.test/download/of/something/large.iso';

describe('progress', () => {
  it('says direction, URL, bytes, share, rate and time left', () => {
    const progress = new Progress();
    const sides: Sides = { down: 0, downOf: 10_000_000 };
    progress.follow(flow(URL, sides));
    expect(progress.lines(0, 200, 9)).toEqual([`↓ ${URL}  0 B of 10 MB  0%`]);
    sides.down = 2_500_000;
    expect(progress.lines(1000, 200, 9)).toEqual([`↓ ${URL}  2.5 MB of 10 MB  25%  2.5 MB/s  3 s left`]);
    sides.down = 9_999_999;
    expect(progress.lines(2000, 200, 9)).toEqual([`↓ ${URL}  10 MB of 10 MB  99%  5 MB/s  1 s left`]);
  });

  it('takes the rate from the last seconds, and says none that there is nothing to tell from', () => {
    const progress = new Progress();
    const sides: Sides = { up: 0 };
    progress.follow(flow(URL, sides));
    for (let second = 0; second < 10; second++) {
      progress.lines(second * 1000, 200, 9);
      sides.up = (sides.up ?? 0) + (second < 5 ? 1_000_000 : 3_000_000);
    }
    expect(progress.lines(10_000, 200, 9)).toEqual([`↑ ${URL}  20 MB  3 MB/s`]);
    // Stalled, there is no telling how long it takes.
    const stalled: Sides = { down: 5000, downOf: 10_000 };
    const other = new Progress();
    other.follow(flow(URL, stalled));
    other.lines(0, 200, 9);
    expect(other.lines(5000, 200, 9)).toEqual([`↓ ${URL}  5 kB of 10 kB  50%  0 B/s`]);
  });

  it('does not take Content-Length for the length of what a transform sends', () => {
    const progress = new Progress();
    progress.follow(flow(URL, { down: 5, downOf: 10, transformed: true }));
    expect(progress.lines(0, 200, 9)).toEqual([`↓ ${URL}  5 B`]);
  });

  it('fits every width: the URL is shortened first, then facts are left out', () => {
    const progress = new Progress();
    const sides: Sides = { down: 500_000_000, downOf: 1_100_000_000 };
    progress.follow(flow(`${URL}\x1b[2J`, sides));
    progress.lines(0, 200, 9);
    sides.down = 533_000_000;
    for (let width = 24; width < 200; width++) {
      const [line = ''] = progress.lines(1000, width, 9);
      expect(line.length).toBeLessThanOrEqual(width);
      expect(line).toMatch(/^↓ \S+ {2}533 MB of 1\.1 GB(?: {2}48%(?: {2}33 MB\/s(?: {2}18 s left)?)?)?$/);
      expect(line).not.toContain('\x1b');
    }
    expect(progress.lines(1000, 79, 9)).toEqual([
      '↓ http://app.test/d…large.iso\\x1b[2J  533 MB of 1.1 GB  48%  33 MB/s  18 s left',
    ]);
    expect(progress.lines(1000, 45, 9)[0]).toMatch(/ {2}533 MB of 1\.1 GB {2}48%$/);
  });

  it('has a line per streamed body; what there is no room for is counted', () => {
    const progress = new Progress();
    const flows = [1, 2, 3].map((n) => flow(`http://a.test/${n}`, { up: n, down: n }));
    for (const each of flows) progress.follow(each);
    progress.follow(flow('http://a.test/recorded', {}));
    expect(progress.lines(0, 80, 6)).toHaveLength(6);
    expect(progress.lines(0, 80, 3)).toEqual([
      '↑ http://a.test/1  1 B',
      '↓ http://a.test/1  1 B',
      '… and 4 more',
    ]);
    expect(progress.lines(0, 80, 1)).toEqual(['… and 6 more']);
    for (const each of flows) progress.leave(each);
    expect(progress.lines(0, 80, 9)).toEqual([]);
    expect(progress.size).toBe(1);
  });
});
