import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import type { ProxyOptions } from '../index.js';
import { OPTIONS } from '../options/table.js';
import { withCommand } from '../testing/command.js';
import { caPem } from '../tls/testing/pems.js';
import { asTyped, describeOptions, Settings } from './settings.js';

/** What the options are after `--set`s. */
function setTo(...settings: string[]): ProxyOptions {
  const all = new Settings();
  for (const setting of settings) all.setting(setting);
  const { port: _, ...options } = all.options();
  return options;
}

const PLAIN: [settings: string[], options: ProxyOptions][] = [
  [['stream_large_bodies=3m'], { streamLargeBodies: '3m' }],
  [['stream_large_bodies=3m', 'stream_large_bodies=4m'], { streamLargeBodies: '4m' }],
  [['stream_websockets=true'], { streamWebsockets: true }],
  [['stream_websockets=true', 'stream_websockets=false'], { streamWebsockets: false }],
  [['digest=false'], { digest: false }],
  [['digest=sha256'], { digest: 'sha256' }],
  [['host=::1'], { host: '::1' }],
  [['origin_errors=abort'], { originErrors: 'abort' }],
  [['stream_content_types='], { streamContentTypes: [] }],
  [
    ['stream_content_types=a/b, c/*', 'stream_content_types=d/e'],
    { streamContentTypes: ['a/b', 'c/*', 'd/e'] },
  ],
  [['stream_content_types=a/b', 'stream_content_types='], { streamContentTypes: [] }],
  [['stream_content_types=["a/b"]'], { streamContentTypes: ['a/b'] }],
  [
    ['hosts=a.test=127.0.0.1:3000,*.b.test=c.test', 'hosts=d.test=e'],
    { hosts: { 'a.test': '127.0.0.1:3000', '*.b.test': 'c.test', 'd.test': 'e' } },
  ],
  [['hosts={"a.test":"b"}'], { hosts: { 'a.test': 'b' } }],
  [['hosts=a=http://b:1'], { hosts: { a: 'http://b:1' } }],
  [['timeouts=connect=1000'], { timeouts: { connect: 1000 } }],
  [['timeouts=idle=5', 'timeouts=connect=6'], { timeouts: { idle: 5, connect: 6 } }],
  [['timeouts=1,2'], { timeouts: { connect: 1, idle: 2 } }],
  [['upstream=http://u:p=1@h:3128'], { upstream: { server: 'http://u:p=1@h:3128' } }],
  [
    ['upstream=h:1,bypass=.x', 'upstream=username=u,password=p'],
    { upstream: { server: 'h:1', bypass: '.x', username: 'u', password: 'p' } },
  ],
  [['ignore_hosts=^a{1,2}$', 'ignore_hosts=b'], { ignoreHosts: ['^a{1,2}$', 'b'] }],
  [['sticky_cookie=~d a.test'], { stickyCookie: { filter: '~d a.test' } }],
  [['proxy_auth=a:b=c'], { proxyAuth: 'a:b=c' }],
  [['mode=reverse:http://a.test/'], { mode: 'reverse:http://a.test/' }],
];

const REFUSED: [setting: string, says: RegExp][] = [
  ['stream_large_bodies=3mb', /^stream_large_bodies: "3mb" is not a size; /],
  ['stream_websockets=yes', /^stream_websockets: "yes" is not accepted; give true or false$/],
  ['port=1.5', /^port: "1.5" is not accepted; give a port .* as in 8000-8099$/],
  ['port=9000-8000', /^port: /],
  ['timeouts=conect=1', /^timeouts: .*as in connect=1000,idle=60000$/],
  ['timeouts=1,2,3', /^timeouts: "1,2,3" is not accepted/],
  ['timeouts={"connect":', /^timeouts: /],
  ['hosts=a.test', /^hosts: "a.test" is not accepted; give names with their targets, as in /],
  ['upstream=socks5://h', /^upstream: the value given is not accepted/],
  ['ca=nowhere.pem,nowhere.pem', /^ca: the file cannot be read: .*nowhere\.pem/],
  ['upstream_ca=README.md', /^upstream_ca: /],
  ['ignore_hosts=(', /^ignore_hosts: /],
  ['sticky_cookie=~zz', /^sticky_cookie: ~zz is not an operator/],
  ['upstream={"server":1', /^upstream: the value given is not accepted; give the URL of an HTTP proxy/],
  ['upstream={x:1', /^upstream: the value given is not accepted/],
  ['upstream={"server":1}', /^upstream: server is not text; /],
  ['upstream=h:1,bypas=.x', /^upstream: unknown part "bypas"; give bypass$/],
  ['upstream=bypass=.x', /^upstream: the value given is not accepted/],
  ['stream_content_types=["a/b"', /^stream_content_types: .* is not accepted/],
  ['stream_websockets', /^--set stream_websockets has no value; write stream_websockets=true\|false$/],
  ['streamLargeBodies=1', /^unknown option "streamLargeBodies"; did you mean stream_large_bodies\?$/],
  ['=1', /^--set =1 has no name; write --set NAME=VALUE$/],
  ['toString=1', /^unknown option "toString"; /],
];

describe('--set', () => {
  for (const [settings, options] of PLAIN) {
    it(settings.join(' '), () => expect(setTo(...settings)).toEqual(options));
  }

  it('reads keys and certificates from their files', async () => {
    await withCommand(async ({ folder }) => {
      const { cert, key } = caPem();
      const [certFile, keyFile] = [path.join(folder, 'a.pem'), path.join(folder, 'b.pem')];
      writeFileSync(certFile, cert);
      writeFileSync(keyFile, key);
      const wanted = { ca: { cert, key } };
      expect(setTo(`ca=${certFile},${keyFile}`)).toEqual(wanted);
      expect(setTo(`ca=key=${keyFile},cert=${certFile}`)).toEqual(wanted);
      expect(setTo(`ca=cert=${certFile}`, `ca=key=${keyFile}`)).toEqual(wanted);
      expect(() => setTo(`ca=${certFile}`)).toThrow(/^ca: the value given is not accepted; .*ca-key\.pem$/);
      expect(setTo(`upstream_ca=${certFile}`, `upstream_ca=${certFile}`)).toEqual({
        upstreamCa: [cert, cert],
      });
    });
  });

  for (const [setting, says] of REFUSED) {
    it(`${setting} is refused`, () => expect(() => setTo(setting)).toThrow(says));
  }

  it('calls options in messages as they are written here', () => {
    expect(asTyped('map it with the option hosts; another password than the option proxyAuth')).toBe(
      'map it with --set hosts=; another password than --set proxy_auth=',
    );
    expect(asTyped('the body is over bodySizeLimit, 5 octets, on port 1 of hosts')).toBe(
      'the body is over body_size_limit, 5 octets, on port 1 of hosts',
    );
  });

  it('knows every option, and an example of each is accepted', () => {
    const described = describeOptions();
    expect(described.map(({ name }) => name)).toEqual(
      Object.keys(OPTIONS).map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    );
    for (const [name, { text }] of Object.entries(OPTIONS)) {
      if (text.example === undefined || /\.pem/.test(text.example)) continue;
      const { name: snake = '' } = described[Object.keys(OPTIONS).indexOf(name)] ?? {};
      expect(setTo(`${snake}=${text.example}`)).toBeDefined();
    }
  });
});
