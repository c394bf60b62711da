import { describe, it } from 'node:test';
import { expect } from 'expect';
import { isSluiceError } from '../errors.js';
import { readHostName } from './hostname.js';

describe('readHostName', () => {
  const dns: [given: string, text: string][] = [
    ['app.test', 'app.test'],
    ['LocalHost', 'localhost'],
    ['app.test.', 'app.test'],
    ['my_service', 'my_service'],
    ['r3---sn-.video.test', 'r3---sn-.video.test'],
    ['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    [`${'a'.repeat(63)}.test`, `${'a'.repeat(63)}.test`],
  ];
  for (const [given, text] of dns) {
    it(`takes the DNS name ${given}`, () => expect(readHostName(given)).toEqual({ text }));
  }

  const addresses: [given: string, text: string, hex: string][] = [
    ['127.0.0.1', '127.0.0.1', '7f000001'],
    ['255.10.0.9', '255.10.0.9', 'ff0a0009'],
    ['::1', '::1', '00000000000000000000000000000001'],
    ['[::1]', '::1', '00000000000000000000000000000001'],
    ['::', '::', '00000000000000000000000000000000'],
    ['0:0:0:0:0:0:0:1', '::1', '00000000000000000000000000000001'],
    ['2001:DB8::a:0:1', '2001:db8::a:0:1', '20010db8000000000000000a00000001'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['fe80::', 'fe80::', 'fe800000000000000000000000000000'],
    ['fe80::1%eth0', 'fe80::1', 'fe800000000000000000000000000001'],
    ['::ffff:1.2.3.4', '::ffff:102:304', '00000000000000000000ffff01020304'],
  ];
  for (const [given, text, hex] of addresses) {
    it(`takes the address ${given}`, () => {
      expect(readHostName(given)).toEqual({ text, address: Buffer.from(hex, 'hex') });
    });
  }

  const refused = [
    '',
    '.',
    'a..b',
    '.test',
    '*.app.test',
    'app.test:443',
    '[::1]:443',
    'a b',
    'a\0b.test',
    'a/b',
    'münchen.de',
    'fe80::1::2',
    `${'a'.repeat(64)}.test`,
    `${'a.'.repeat(127)}`.repeat(2),
  ];
  for (const name of refused) {
    it(`refuses ${JSON.stringify(name.slice(0, 20))}`, () => {
      let thrown: unknown;
      try {
        readHostName(name);
      } catch (error) {
        thrown = error;
      }
      expect(isSluiceError(thrown) && thrown.code).toBe('BAD_OPTION');
      expect(String(thrown)).toContain('give a DNS name in ASCII or an IP address');
    });
  }
});
