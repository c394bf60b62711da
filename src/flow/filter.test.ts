import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { expect } from 'expect';
import { compileFilter } from './filter.js';
import { TcpFlowRecord } from './tcp.js';
import { sampleFlow } from './testing/sample-flow.js';

const upload = sampleFlow(
  {
    method: 'POST',
    url: 'https://App.test:8443/upload?kind=video',
    headers: { 'Content-Type': 'application/json', Accept: 'image/png' },
    body: '{"name":"clip"}\n{"name":"end"}',
  },
  {
    status: 201,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'set-cookie': ['a=1', 'b=2'] },
    body: 'stored it',
  },
);
const pending = sampleFlow({ url: 'https://app.test/slow' });
const failed = sampleFlow({}, undefined, { code: 'ORIGIN_CLOSED', message: 'gone' });
const picture = sampleFlow({}, { headers: { 'content-type': 'image/png' } });

const holds = (text: string, flow = upload) => compileFilter(text)(flow);

describe('compileFilter: operators', () => {
  const held = [
    ...[
      '~m POST',
      '~m post',
      '~m PO',
      '~u upload',
      '~u KIND=',
      'upload',
      '~d app',
      '~d ^app.test$',
      '~all',
      '~http',
      '~s',
    ],
    ...['~h "^accept: image"', '~hq Accept', '~hs "set-cookie: b=2"', '~hs "^set-cookie: a=1$"', '~h plain'],
    ...[
      '~b clip',
      '~b stored',
      '~bq "clip.*end"',
      '~bs STORED',
      '~t json',
      '~t plain',
      '~tq json',
      '~ts charset',
      '~c 201',
    ],
  ];
  for (const text of held) it(`${text} holds`, () => expect(holds(text)).toBe(true));

  const missed = [
    ...[
      '~m GET',
      '~u nowhere',
      '~d 8443',
      '~d upload',
      '~q',
      '~e',
      '~hq set-cookie',
      '~hs accept',
      '~bq stored',
      '~bs clip',
    ],
    ...['~tq plain', '~ts json', '~t image', '~c 200', '~a'],
  ];
  for (const text of missed) it(`${text} does not hold`, () => expect(holds(text)).toBe(false));

  it('tells requests, errors and assets', () => {
    expect(holds('~q', pending)).toBe(true);
    expect(holds('~s', pending)).toBe(false);
    expect(holds('~bs "" | ~hs x | ~ts x | ~c 200 | ~a', pending)).toBe(false);
    expect(holds('~e', failed)).toBe(true);
    expect(holds('~a', picture)).toBe(true);
  });

  it('looks into decoded bodies, and into undecodable ones as they are', () => {
    const headers = { 'content-encoding': 'gzip' };
    expect(holds('~bs inside', sampleFlow({}, { headers, body: gzipSync('what is inside') }))).toBe(true);
    expect(holds('~bs inside', sampleFlow({}, { headers, body: 'inside, but not gzip' }))).toBe(true);
  });
});

describe('compileFilter: TCP flows', () => {
  const client = {
    id: 1,
    address: '10.0.0.7',
    port: 50123,
    tls: true,
    tunnel: '10.1.2.3:5432',
    sni: 'Db.test',
  };
  const flow = new TcpFlowRecord('1', client, () => undefined);
  flow.server = { address: '192.0.2.9', port: 6543, tls: true, reused: false };
  flow.keep('client', Buffer.from('select 1, "ä'), false, 100);
  flow.keep('client', Buffer.from('ö"'), false, 100);
  flow.keep('server', Buffer.from('one row'), false, 100);

  const held = [
    ...['~all', '~tcp', '~d db', '~d ^db.test$', '~d ^10\\.1', '5432', 'DB.test:5432', '~u 10.1.2.3:5432$'],
    ...[
      '~src ^10.0.0.7:50123$',
      '~dst 192.0.2.9:6543',
      '~b äö',
      '~bq "select 1"',
      '~bs ^one',
      '!~e',
      '!~http',
    ],
    ...['~tcp & !(~bs select)', '~u upload | ~tcp'],
  ];
  for (const text of held) it(`${text} holds`, () => expect(compileFilter(text)(flow)).toBe(true));

  const missed = [
    ...['~http', '~d 5432', '~d x', 'upload', '~e', '~bq row', '~bs select', '~src 5432', '~dst 5432'],
    ...[
      '~m .',
      '~h .',
      '~hq .',
      '~hs .',
      '~t .',
      '~tq .',
      '~ts .',
      '~c 200',
      '~a',
      '~q',
      '~s',
      '~tcp & ~m .',
    ],
  ];
  for (const text of missed) it(`${text} does not hold`, () => expect(compileFilter(text)(flow)).toBe(false));

  it('tells those that failed, and those that reached nobody', () => {
    const lost = new TcpFlowRecord('2', { ...client, tunnel: '[::1]:22' }, () => undefined);
    lost.error = { code: 'ORIGIN_UNREACHABLE', message: 'gone' };
    expect(compileFilter('~e & ~d "\\[::1\\]" & !~dst .')(lost)).toBe(true);
  });

  it('are not HTTP flows, which ~src and ~dst tell by their ends, too', () => {
    expect(holds('~tcp')).toBe(false);
    expect(holds(`~src ${upload.client.address}:${upload.client.port}$`)).toBe(true);
    const served = sampleFlow({});
    served.server = { address: '192.0.2.9', port: 443, tls: true, reused: false };
    expect(compileFilter('~dst ^192.0.2.9:443$')(served)).toBe(true);
    expect(compileFilter('~dst .')(sampleFlow({}))).toBe(false);
  });
});

describe('compileFilter: grammar', () => {
  const yes = '~all';
  const no = '!~all';
  const table: [string, boolean][] = [
    [`${yes} & ${no}`, false],
    [`${yes} | ${no}`, true],
    [`${yes} ${no}`, false],
    [`${yes} | ${no} & ${no}`, true],
    [`${no} & ${no} | ${yes}`, true],
    [`${yes} | ${no} ${no}`, true],
    [`(${yes} | ${yes}) & ${no}`, false],
    [`!(${yes} & ${no})`, true],
    [`!!${yes}`, true],
    [`!${yes} | ${yes}`, true],
    ['!upload', false],
    ['~m POST&~u upload', true],
    ['~m GET|~u upload', true],
    ['~m GET| ~u upload', true],
    ['~m GET |~u upload', true],
    ['~u nowhere|upload', true],
    ['~m POST & (~u nowhere | ~c 201)', true],
    ["~u 'upload\\?kind'", true],
    ['~u "upload\\?kind=\\w+$"', true],
    ['~b "\\"name\\""', true],
    ['  ~m POST\n\t~u upload  ', true],
  ];
  for (const [text, expected] of table) {
    it(`${JSON.stringify(text)} is ${expected}`, () => expect(holds(text)).toBe(expected));
  }

  it('says whether a method is named', () => {
    expect(compileFilter('~u x | !(~m OPTIONS)').namesMethod).toBe(true);
    expect(compileFilter('~u x & "~m"').namesMethod).toBe(false);
  });
});

describe('compileFilter: refusals', () => {
  const table: [text: string, what: RegExp, column: number][] = [
    ['', /missing/, 0],
    ['~m POST & ~zz x', /~zz is not an operator/, 10],
    ['~constructor', /~constructor is not an operator/, 0],
    ['~m', /~m needs a regex/, 2],
    ['~u & ~m POST', /~u needs a regex/, 3],
    ['~m POST &', /missing/, 9],
    ['~s && ~q', /missing before &/, 4],
    ['| ~q', /missing before \|/, 0],
    ['~q & (~s', /not closed/, 5],
    ['~q )', /\) closes nothing/, 3],
    ['~u "x', /quote is not closed/, 3],
    ['~u [', /[Rr]egular expression/, 3],
    ['~c 2xx', /three digits, not 2xx/, 3],
  ];
  for (const [text, what, column] of table) {
    it(`${JSON.stringify(text)} is refused at ${column}`, () => {
      let thrown: unknown;
      try {
        compileFilter(text);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'BAD_MATCH', message: expect.stringMatching(what) });
      const lines = String(thrown instanceof Error && thrown.message).split('\n');
      expect(lines[1]).toBe(`  ${text}`);
      expect(lines[2]).toBe(`  ${' '.repeat(column)}^`);
      expect(lines[3]).toMatch(/~m regex \(method\).*~u regex \(URL\)/);
    });
  }
});
