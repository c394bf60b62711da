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

  it('tells cookies apart whose paths and names have blanks', () => {
    const jar = new CookieJar();
    jar.store('a b=1; Path=/x', URL, 0);
    jar.store('b=2; Path=/x a', URL, 0);
    expect(jar.cookiesFor(URL, 0)).toBe('a b=1');
  });
});
