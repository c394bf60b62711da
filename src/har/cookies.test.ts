import { describe, it } from 'node:test';
import { expect } from 'expect';
import { Headers } from '../flow/headers.js';
import { requestCookies, responseCookies } from './cookies.js';
import { Redactor } from './redact.js';
import { EPOCH } from './testing/flows.js';

const open = new Redactor(false);

describe('cookies', () => {
  it('are read from requests', () => {
    const headers = new Headers(['Cookie', 'a=1; b=x=y;; flag', 'cookie', ' c = 3 ']);
    expect(requestCookies(headers, open)).toEqual([
      { name: 'a', value: '1' },
      { name: 'b', value: 'x=y' },
      { name: '', value: 'flag' },
      { name: 'c', value: '3' },
    ]);
  });

  it('are read from responses, Max-Age before Expires', () => {
    const lines = [
      'a=2; Path=/; Domain=app.test; HttpOnly; Secure; SameSite=Lax; Max-Age=60',
      'b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'c=3; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'd=4; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60',
      'e=5; Expires=nonsense; Max-Age=9999999999999999; Priority=High',
    ];
    const headers = new Headers(lines.flatMap((line) => ['Set-Cookie', line]));
    const expires = new Date(EPOCH + 60_000).toISOString();
    expect(responseCookies(headers, open, EPOCH)).toEqual([
      {
        name: 'a',
        value: '2',
        path: '/',
        domain: 'app.test',
        httpOnly: true,
        secure: true,
        sameSite: 'Lax',
        expires,
      },
      { name: 'b', value: '', expires: '1970-01-01T00:00:00.000Z' },
      { name: 'c', value: '3', expires },
      { name: 'd', value: '4', expires },
      { name: 'e', value: '5' },
    ]);
  });

  it('are hidden without their names and attributes', () => {
    const headers = new Headers(['Cookie', 'a=1; flag', 'Set-Cookie', 'b=2; Path=/']);
    const [first, second] = requestCookies(headers, new Redactor());
    expect([first, second]).toEqual([
      { name: 'a', value: '[redacted]' },
      { name: '', value: '[redacted]' },
    ]);
    expect(responseCookies(headers, new Redactor(), EPOCH)).toEqual([
      { name: 'b', value: '[redacted]', path: '/' },
    ]);
  });
});
