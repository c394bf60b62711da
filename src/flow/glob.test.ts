import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { globToRegExp, urlMatcher, wildcardToRegExp } from './glob.js';

type UrlMatches = (baseURL: string | undefined, url: string, glob: string, webSocket?: boolean) => boolean;

/** Playwright's own function, from wherever this version keeps it. */
function playwrightsOwn(): UrlMatches | undefined {
  const require = createRequire(path.resolve('package.json'));
  for (const place of ['playwright-core/lib/coreBundle', 'playwright-core/lib/utils']) {
    try {
      const found = require(place) as { urlMatches?: UrlMatches; iso?: { urlMatches?: UrlMatches } };
      const urlMatches = found.iso?.urlMatches ?? found.urlMatches;
      if (urlMatches !== undefined) return urlMatches;
    } catch (error) {
      expect(error).toHaveProperty(
        'code',
        expect.stringMatching(/^(MODULE_NOT_FOUND|ERR_PACKAGE_PATH_NOT_EXPORTED)$/),
      );
    }
  }
  return undefined;
}

const matches = (glob: string, text: string) => globToRegExp(glob).test(text);

describe('globToRegExp', () => {
  it('keeps * within a segment and lets ** cross segments', () => {
    expect(matches('https://app.test/*', 'https://app.test/a')).toBe(true);
    expect(matches('https://app.test/*', 'https://app.test/a/b')).toBe(false);
    expect(matches('https://app.test/**', 'https://app.test/a/b')).toBe(true);
    expect(matches('**/upload', 'https://app.test/x/upload')).toBe(true);
    expect(matches('**/upload', 'https://app.test/x/upload2')).toBe(false);
    expect(matches('**/upload', 'https://app.test/reupload')).toBe(false);
  });

  it('lets a ** between slashes be nothing', () => {
    expect(matches('/a/**/b', '/a/b')).toBe(true);
    expect(matches('/a/**/b', '/a/x/y/b')).toBe(true);
    expect(matches('/a/**/b', '/axb')).toBe(false);
  });

  it('reads {a,b} as either, and a comma elsewhere as itself', () => {
    expect(matches('**/*.{png,jpg}', 'https://app.test/x.jpg')).toBe(true);
    expect(matches('**/*.{png,jpg}', 'https://app.test/x.gif')).toBe(false);
    expect(matches('/a,b', '/a,b')).toBe(true);
  });

  it('takes ?, dots, brackets and escaped characters literally', () => {
    expect(matches('/a?b', '/a?b')).toBe(true);
    expect(matches('/a?b', '/axb')).toBe(false);
    expect(matches('/a.b', '/axb')).toBe(false);
    expect(matches('/[ab]', '/[ab]')).toBe(true);
    expect(matches('/\\*\\{', '/*{')).toBe(true);
    expect(matches('/\\*', '/x')).toBe(false);
    expect(matches('/end\\', '/end\\')).toBe(true);
  });

  it('refuses braces that are nested or not closed', () => {
    const badMatch = { code: 'BAD_MATCH', message: expect.stringContaining('glob "') };
    for (const glob of ['{a,{b}}', '{a', 'a}']) {
      expect(() => globToRegExp(glob)).toThrow(expect.objectContaining(badMatch));
    }
  });
});

describe('wildcardToRegExp', () => {
  it('ignores the case of hosts and keeps that of paths', () => {
    expect(wildcardToRegExp('*.CDN.test', 'host').test('a.cdn.test')).toBe(true);
    expect(wildcardToRegExp('*.cdn.test', 'host').test('a.b.cdn.test')).toBe(true);
    expect(wildcardToRegExp('*.cdn.test', 'host').test('cdn.test')).toBe(false);
    expect(wildcardToRegExp('/API/*', 'path').test('/api/x')).toBe(false);
    expect(wildcardToRegExp('/api/*', 'path').test('/api/x/y')).toBe(false);
  });

  it('brackets a bare IPv6 address', () => {
    expect(wildcardToRegExp('::1', 'host').test('[::1]')).toBe(true);
    expect(wildcardToRegExp('[::1]:8080', 'host').test('[::1]:8080')).toBe(true);
    expect(wildcardToRegExp('app.test:8080', 'host').test('app.test:8080')).toBe(true);
  });
});

describe('urlMatcher', () => {
  it('resolves a relative glob against the base URL, also for WebSockets', () => {
    const test = urlMatcher('/api/*', 'https://app.test/shop/');
    expect(test('https://app.test/api/x')).toBe(true);
    expect(test('https://other.test/api/x')).toBe(false);
    expect(test('wss://app.test/api/x')).toBe(true);
    expect(test('ws://app.test/api/x')).toBe(false);
    expect(urlMatcher('cart?id=*', 'https://app.test/shop/')('https://app.test/shop/cart?id=7')).toBe(true);
    expect(urlMatcher('/api/*')('https://app.test/api/x')).toBe(false);
  });

  it('normalizes an absolute glob as a URL', () => {
    expect(urlMatcher('https://app.test')('https://app.test/')).toBe(true);
    expect(urlMatcher('HTTPS://*.App.test/A/../b*')('https://x.app.test/b1')).toBe(true);
    expect(urlMatcher('{http,https}://app.test/x')('https://app.test/x')).toBe(true);
    expect(urlMatcher('{http,https}://app.test/x')('ftp://app.test/x')).toBe(false);
  });

  const theirs = playwrightsOwn();
  it("agrees with Playwright's own matcher", { skip: theirs === undefined && 'not importable' }, () => {
    if (theirs === undefined) throw new Error('unreachable');
    const bases = [undefined, 'https://app.test/shop/', 'HTTP://APP.test:8080', 'not a url'];
    const urls = [
      ...['https://app.test/', 'https://app.test/shop/', 'https://app.test/shop/a', 'https://app.test/a/b'],
      ...[
        'http://app.test:8080/a',
        'http://app.test:8080/a?b=c',
        'https://app.test/a?b',
        'https://x.app.test/A/b.c',
      ],
      ...[
        'wss://app.test/a',
        'ws://app.test:8080/a',
        'https://app.test/shop/a?b=/c',
        'data:a',
        'https://app.test//a',
      ],
    ];
    const pieces = [
      '*',
      '**',
      '/',
      'a',
      'b',
      'A',
      '?',
      '{a,b}',
      '\\',
      '.',
      '..',
      ',',
      'https:',
      'app.test',
      '=',
      '$',
    ];
    pieces.push(
      '//',
      'https://',
      'ws://',
      '**/',
      '/a',
      '{http,https}:',
      'App.test',
      '*.test',
      '\\\\?',
      'data:',
      '{',
      '}',
    );
    const random = generator(7);
    const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)] ?? '';
    let held = 0;
    for (let round = 0; round < 6000; round++) {
      const glob = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(pieces)).join('');
      for (const base of bases) {
        for (const url of urls) {
          const expected = outcome(() => theirs(base, url, glob, url.startsWith('ws')));
          const actual = outcome(() => urlMatcher(glob, base)(url));
          if (expected === true) held++;
          if (actual !== expected)
            expect({ glob, base, url, result: actual }).toEqual({ glob, base, url, result: expected });
        }
      }
    }
    // Guards against samples that never match, which any two functions agree on.
    expect(held).toBeGreaterThan(1000);
  });
});

function outcome(run: () => boolean): boolean | 'refused' {
  try {
    return run();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return 'refused';
  }
}

/** Numbers from 0 to 1, the same ones for the same seed (a linear congruential generator). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
