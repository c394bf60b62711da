import { describe, it } from 'node:test';
import { expect } from 'expect';
import { CookieJar } from './cookie-jar.js';

const URL = 'http://app.test/x';

describe('a cookie jar', () => {
  it('takes no cookie that browsers would find too long', () => {
    const jar = new CookieJar();
    const longest = 'v'.repeat(4096 - 'name'.length);
    jar.store(`name=${longest}v; Path=/`, URL, 0);
    expect(jar.empty).toBe(true);
    jar.store(`name=${longest}; Path=/`, URL, 0);
    expect(jar.cookiesFor(URL, 0)).toBe(`name=${longest}`);
  });

  /** How many cookies a URL gets, the first and the last of them. */
  const kept = (jar: CookieJar, url: string, now = 0) => {
    const all = jar.cookiesFor(url, now)?.split('; ') ?? [];
    return [all.length, all[0], all.at(-1)];
  };
  const fill = (jar: CookieJar, url: string, many: number, attributes = '') => {
    for (let i = 0; i < many; i++) jar.store(`c${i}=1${attributes}`, url, 0);
  };

  it('keeps 180 of a domain and port: that which was used last longest ago goes', () => {
    const jar = new CookieJar();
    fill(jar, 'http://app.test:81/', 1);
    fill(jar, 'http://www.app.test/', 1);
    fill(jar, URL, 181, '; Path=/');
    expect(kept(jar, URL)).toEqual([180, 'c1=1', 'c180=1']);
    expect(kept(jar, 'http://app.test:81/')).toEqual([1, 'c0=1', 'c0=1']);
    expect(kept(jar, 'http://www.app.test/')).toEqual([1, 'c0=1', 'c0=1']);
    jar.store('c1=again; Path=/', URL, 0);
    jar.store('new=1; Path=/', URL, 0);
    expect(kept(jar, URL)).toEqual([180, 'c1=again', 'new=1']);
    expect(jar.cookiesFor(URL, 0)).not.toContain('c2=1');
  });

  it('takes one that is sent for used', () => {
    const jar = new CookieJar();
    jar.store('session=1; Path=/in', URL, 0);
    fill(jar, URL, 179, '; Path=/else');
    jar.cookiesFor('http://app.test/in', 0);
    fill(jar, URL, 179, '; Path=/other');
    expect(jar.cookiesFor('http://app.test/in', 0)).toBe('session=1');
    expect(jar.cookiesFor('http://app.test/else', 0)).toBeUndefined();
  });

  it('drops what has expired before what has not', () => {
    const jar = new CookieJar();
    fill(jar, URL, 179, '; Path=/');
    jar.store('short=1; Path=/; Max-Age=1', URL, 0);
    jar.store('new=1; Path=/', URL, 1000);
    expect(kept(jar, URL, 1000)).toEqual([180, 'c0=1', 'new=1']);
  });

  it('keeps 3000 in all', () => {
    const jar = new CookieJar();
    for (let host = 0; host < 20; host++) fill(jar, `http://${host}.test/`, 150);
    expect(kept(jar, 'http://1.test/')).toEqual([150, 'c0=1', 'c149=1']);
    fill(jar, URL, 1, '; Path=/');
    expect(kept(jar, URL)).toEqual([1, 'c0=1', 'c0=1']);
    expect(kept(jar, 'http://0.test/')).toEqual([149, 'c1=1', 'c149=1']);
    expect(kept(jar, 'http://1.test/')).toEqual([150, 'c0=1', 'c149=1']);
  });

  it('tells cookies apart whose paths and names have blanks', () => {
    const jar = new CookieJar();
    jar.store('a b=1; Path=/x', URL, 0);
    jar.store('b=2; Path=/x a', URL, 0);
    expect(jar.cookiesFor(URL, 0)).toBe('a b=1');
  });
});
