import { describe, it } from 'node:test';
import { expect } from 'expect';
import { Headers } from '../flow/headers.js';
import { resolveOptions } from '../options/resolve.js';
import { Gate } from './auth.js';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

function gateOf(proxyAuth: string, mode: 'regular' | 'reverse:http://a.test' = 'regular'): Gate {
  const gate = Gate.of(resolveOptions({ proxyAuth, mode }));
  if (gate === undefined) throw new Error('there is no gate');
  return gate;
}

/** What is wrong with a field, and what is left of it. */
function checked(gate: Gate, field: string, ...values: string[]): [string | undefined, boolean] {
  const headers = new Headers();
  for (const value of values) headers.append(field, value);
  return [gate.check(headers), headers.has(field)];
}

describe('the gate of proxyAuth', () => {
  it('is not there without it', () => {
    expect(Gate.of(resolveOptions({ mode: 'socks5' }))).toBeUndefined();
  });

  it('opens for name and password, split at the first colon', () => {
    for (const [given, accepted] of [
      ['me:secret', ['me:secret']],
      ['me:pa:ss', ['me:pa:ss']],
      [':', [':']],
      ['me:', ['me:']],
      [':only', [':only']],
      ['jürgen:пароль', ['jürgen:пароль']],
    ] as const) {
      const gate = gateOf(given);
      for (const one of accepted) {
        expect(checked(gate, 'Proxy-Authorization', basic(one))).toEqual([undefined, false]);
        const token = basic(one).replace('Basic', 'bASIC  ');
        expect(checked(gate, 'proxy-authorization', token)).toEqual([undefined, false]);
      }
    }
    expect(gateOf('a:b:c').admits(Buffer.from('a:b'), Buffer.from('c'))).toBe(false);
    expect(gateOf('a:b:c').admits(Buffer.from('a'), Buffer.from('b:c'))).toBe(true);
  });

  it('stays closed for anything else, and takes it away all the same', () => {
    const gate = gateOf('me:secret');
    const wrong = /another user name or password/;
    const notBasic = /not one of the scheme Basic/;
    for (const [values, why] of [
      [[], /there is no proxy-authorization/],
      [[basic('me:secre')], wrong],
      [[basic('me:secret ')], wrong],
      [[basic('Me:secret')], wrong],
      [[basic('mesecret')], wrong],
      [['Basic'], notBasic],
      [[`Basic ${'A'.repeat(60_000)}`], wrong],
      [['Bearer bWU6c2VjcmV0'], notBasic],
      [['bWU6c2VjcmV0'], notBasic],
      [[`${basic('me:secret')}, x`], notBasic],
      [[basic('me:secret'), basic('me:secret')], notBasic],
    ] as const) {
      const [problem, left] = checked(gate, 'Proxy-Authorization', ...values);
      expect(problem).toMatch(why);
      expect(problem).not.toMatch(/secret|bWU6/);
      expect(left).toBe(false);
    }
  });

  it('asks for what the mode has', () => {
    const realm = 'Basic realm="sluice", charset="UTF-8"';
    const { head } = gateOf('me:secret').challenge('why');
    expect([head.status, head.headers.get('proxy-authenticate')]).toEqual([407, realm]);
    const reverse = gateOf('me:secret', 'reverse:http://a.test');
    const { head: asOrigin, body } = reverse.challenge('why');
    expect([asOrigin.status, asOrigin.headers.get('www-authenticate')]).toEqual([401, realm]);
    expect(body.bytes.toString()).toContain('why');
    expect(checked(reverse, 'Proxy-Authorization', basic('me:secret'))[0]).toMatch(
      /there is no authorization/,
    );
    expect(checked(reverse, 'Authorization', basic('me:secret'))).toEqual([undefined, false]);
  });
});
