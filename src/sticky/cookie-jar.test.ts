import { describe, it } from 'node:test';
import { expect } from 'expect';
import { CookieJar } from './cookie-jar.js';

const NOW = Date.UTC(2026, 0, 1);

/** What a request gets after some Set-Cookie fields. */
function sent(lines: string[], setBy: string, asked: string, later = 0): string | undefined {
  const jar = new CookieJar();
  for (const line of lines) jar.store(line, setBy, NOW);
  return jar.cookiesFor(asked, NOW + later);
}

describe('a cookie jar', () => {
  const cases: [what: string, line: string, setBy: string, asked: string, found: boolean][] = [
    ['goes back to its host', 'a=1', 'http://app.test/', 'http://app.test/', true],
    ['without a domain is for its host only', 'a=1', 'http://app.test/', 'http://www.app.test/', false],
    ['of a domain goes below it', 'a=1; Domain=app.test', 'http://app.test/', 'http://www.app.test/', true],
    ['of a domain goes beside it', 'a=1; Domain=.App.Test', 'http://a.app.test/', 'http://b.app.test/', true],
    [
      'of a domain goes to no other',
      'a=1; Domain=app.test',
      'http://app.test/',
      'http://notapp.test/',
      false,
    ],
    ['of a foreign domain is none', 'a=1; Domain=b.test', 'http://a.test/', 'http://b.test/', false],
    ['of a domain below is none', 'a=1; Domain=a.b.test', 'http://b.test/', 'http://a.b.test/', false],
    ['of a part of an address is none', 'a=1; Domain=0.0.1', 'http://127.0.0.1/', 'http://127.0.0.1/', false],
    ['minds the port', 'a=1', 'http://app.test:81/', 'http://app.test:82/', false],
    ['minds the default port', 'a=1', 'http://app.test/', 'https://app.test/', false],
    ['takes a port as it is', 'a=1', 'http://app.test:443/', 'https://app.test/', true],
    ['is for sockets too', 'a=1', 'https://app.test/', 'wss://app.test/live', true],
    ['is secure where it says', 'a=1; Secure', 'http://app.test:443/', 'http://app.test:443/', false],
    ['is secure over TLS', 'a=1; Secure', 'https://app.test/', 'https://app.test/', true],
    ['has the path of its request', 'a=1', 'http://a.test/b/c?/d/', 'http://a.test/b/x', true],
    ['is not for paths above', 'a=1', 'http://a.test/b/c', 'http://a.test/x', false],
    ['has the path it says', 'a=1; Path=/b', 'http://a.test/', 'http://a.test/b', true],
    ['goes below its path', 'a=1; Path=/b', 'http://a.test/', 'http://a.test/b/c', true],
    ['goes below a path with a slash', 'a=1; Path=/b/', 'http://a.test/', 'http://a.test/b/c', true],
    ['is not for names that begin so', 'a=1; Path=/b', 'http://a.test/', 'http://a.test/bc', false],
    ['does not mind a path that is none', 'a=1; Path=b', 'http://a.test/', 'http://a.test/x', true],
    ['of an IPv6 address goes back', 'a=1', 'http://[::1]:8080/', 'http://[::1]:8080/', true],
    ['without a name is none', '=1', 'http://a.test/', 'http://a.test/', false],
    ['without = is none', 'a', 'http://a.test/', 'http://a.test/', false],
    ['that expired is none', 'a=1; Max-Age=0', 'http://a.test/', 'http://a.test/', false],
  ];
  for (const [what, line, setBy, asked, found] of cases) {
    it(`has one that ${what}`, () => {
      expect(sent([line], setBy, asked)).toBe(found ? 'a=1' : undefined);
    });
  }

  it('forgets a cookie in time, and at once where it is said', () => {
    const url = 'http://a.test/';
    const expires = `a=1; Expires=${new Date(NOW + 5000).toUTCString()}`;
    expect(sent([expires], url, url, 4999)).toBe('a=1');
    expect(sent([expires], url, url, 5000)).toBeUndefined();
    const both = 'a=1; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT';
    expect(sent([both], url, url, 9999)).toBe('a=1');
    expect(sent([both], url, url, 10_000)).toBeUndefined();
    expect(sent(['a=1', 'b=2', 'a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT'], url, url)).toBe('b=2');
    expect(sent(['a=1; Max-Age=x; Expires=whenever'], url, url, 1e15)).toBe('a=1');
    expect(sent(['a=1', 'a=; Max-Age=-1; Path=/b'], url, url)).toBe('a=1');
  });

  it('sends longer paths first, then in order, and the last value of each', () => {
    const lines = ['a=1; Path=/', 'b=2; Path=/', 'c=3; Path=/x', 'a=4; Path=/', 'a=5; Path=/x/y'];
    expect(sent(lines, 'http://a.test/', 'http://a.test/x/y/z')).toBe('a=5; c=3; a=4; b=2');
  });

  it('keeps values as they are', () => {
    expect(sent(['a="1, 2"; Path=/', 'b=c=d=='], 'http://a.test/', 'http://a.test/')).toBe(
      'a="1, 2"; b=c=d==',
    );
  });
});
