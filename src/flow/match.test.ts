import { describe, it } from 'node:test';
import { expect } from 'expect';
import {
  compileFlowMatch,
  compileStreamMatch,
  explainMismatch,
  type FlowMatch,
  type MatchContext,
} from './match.js';
import { sampleFlow, samplePreflight } from './testing/sample-flow.js';

const flow = sampleFlow(
  {
    method: 'POST',
    url: 'https://api.app.test:8443/api/done?id=7',
    headers: { 'Content-Type': 'application/json', 'X-Tag': ['one', 'two'] },
    body: '{"user":{"id":7,"name":"Ada"}}',
  },
  {
    status: 204,
    headers: { 'content-type': 'Image/PNG; q=1', 'content-length': '5000', 'cache-control': 'max-age=60' },
  },
);
const pending = sampleFlow({
  method: 'POST',
  url: 'https://app.test/api/done',
  headers: { 'content-length': '10' },
});
const failed = sampleFlow({}, undefined, { code: 'ORIGIN_CLOSED', message: 'it went away' });

const holds = (match: unknown, of = flow, context?: MatchContext) =>
  compileFlowMatch(match as FlowMatch, context).test(of);

describe('compileFlowMatch: each key', () => {
  const table: [held: FlowMatch, missed: FlowMatch][] = [
    ['**/api/done?id=7', '**/api/done'],
    [/done\?/g, /^done/],
    [{ url: '**/done*' }, { url: /nowhere/ }],
    [{ method: 'post' }, { method: 'PUT' }],
    [{ host: 'API.app.test' }, { host: 'app.test' }],
    [{ host: '*.app.test' }, { host: '*.cdn.test' }],
    [{ host: '*.app.test:8443' }, { host: '*.app.test:443' }],
    [{ path: '/api/done' }, { path: '/api/don' }],
    [{ path: '/api/*' }, { path: '/*' }],
    [{ path: '/api/done?id=*' }, { path: '/api/done?x=*' }],
    [{ status: 204 }, { status: 200 }],
    [{ contentType: 'image/png' }, { contentType: 'image/gif' }],
    [{ contentType: 'IMAGE/*' }, { contentType: 'text/*' }],
    [{ largerThan: 4999 }, { largerThan: 5000 }],
    [{ largerThan: '4k' }, { largerThan: '5k' }],
    [{ headers: { 'Cache-Control': /max-age/ } }, { headers: { 'cache-control': 'max-age' } }],
    [
      { headers: { 'cache-control': 'max-age=60' } },
      { headers: { 'cache-control': 'max-age=60', etag: /./ } },
    ],
    [{ json: { user: { id: 7 } } }, { json: { user: { id: 8 } } }],
    [
      { json: { user: expect.objectContaining({ name: expect.stringMatching(/^A/) }) } as unknown },
      { json: { user: null } },
    ],
    [{ error: false }, { error: true }],
    [{ filter: '~m POST & ~c 204' }, { filter: '~m POST & ~c 200' }],
    [
      { method: 'POST', path: '/api/*', status: 204 },
      { method: 'POST', path: '/api/*', status: 200 },
    ],
    [(of) => of.request.method === 'POST', () => false],
  ];
  for (const [held, missed] of table) {
    const names = [held, missed].map((match) => compileFlowMatch(match).describe);
    it(`${names[0]} holds and ${names[1]} does not`, () => {
      expect(holds(held)).toBe(true);
      expect(holds(held)).toBe(true);
      expect(holds(missed)).toBe(false);
    });
  }

  it('takes promises from functions', async () => {
    expect(await holds(async () => true)).toBe(true);
    expect(await holds(async () => false)).toBe(false);
    await expect(holds(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
  });

  it('resolves globs against the base URL', () => {
    expect(holds('/api/done', pending, { baseURL: 'https://app.test' })).toBe(true);
    expect(holds({ url: '/api/done' }, pending, { baseURL: 'https://other.test' })).toBe(false);
  });

  it('knows default ports and IPv6 addresses', () => {
    expect(holds({ host: 'app.test:443' }, pending)).toBe(true);
    expect(holds({ host: '::1' }, sampleFlow({ url: 'http://[::1]:81/' }))).toBe(true);
    expect(holds({ host: '[::1]:81' }, sampleFlow({ url: 'http://[::1]:81/' }))).toBe(true);
    expect(holds({ host: '[::1]:82' }, sampleFlow({ url: 'http://[::1]:81/' }))).toBe(false);
  });

  it('looks at the side that is asked for', () => {
    const request = { side: 'request' } as const;
    expect(holds({ contentType: 'application/json' }, flow, request)).toBe(true);
    expect(holds({ contentType: 'application/json' })).toBe(false);
    expect(holds({ headers: { 'x-tag': 'two' } }, flow, request)).toBe(true);
    expect(holds({ headers: { 'x-tag': 'one, two' } }, flow, request)).toBe(true);
    expect(holds({ headers: { 'x-tag': /^two/ } })).toBe(false);
    expect(holds({ largerThan: 20 }, flow, request)).toBe(true);
    expect(holds({ largerThan: 40 }, flow, request)).toBe(false);
    expect(holds({ status: 204 }, flow, request)).toBe(true);
  });

  it('does not hold of a response that is not there', () => {
    for (const match of [
      { status: 200 },
      { contentType: '*' },
      { largerThan: 0 },
      { headers: { etag: /^/ } },
    ]) {
      expect(holds(match, pending)).toBe(false);
    }
  });

  it('tells errors by code', () => {
    expect(holds({ error: true }, failed)).toBe(true);
    expect(holds({ error: 'ORIGIN_CLOSED' }, failed)).toBe(true);
    expect(holds({ error: 'ORIGIN_TLS' }, failed)).toBe(false);
    expect(holds({ error: false }, failed)).toBe(false);
  });

  it('sizes a body by what has come of it, and not by a length that no body has', () => {
    expect(holds({ largerThan: 10 }, sampleFlow({}, { received: 11 }))).toBe(true);
    expect(holds({ largerThan: 10 }, sampleFlow({}, { received: 10 }))).toBe(false);
    const headers = { 'content-length': '5000' };
    expect(holds({ largerThan: 10 }, sampleFlow({ method: 'HEAD' }, { headers }))).toBe(false);
    expect(holds({ largerThan: 10 }, sampleFlow({}, { headers, status: 304 }))).toBe(false);
  });

  it("takes the response's JSON where the request has none, and nothing from other bodies", () => {
    expect(holds({ json: { ok: true } }, sampleFlow({ body: 'a=b' }, { body: '{"ok":true,"n":1}' }))).toBe(
      true,
    );
    expect(holds({ json: { ok: true } }, sampleFlow({ body: '{"ok":false}' }, { body: '{"ok":true}' }))).toBe(
      false,
    );
    expect(holds({ json: expect.anything() }, sampleFlow({ body: 'a=b' }, { body: '<p>' }))).toBe(false);
    expect(holds({ json: expect.anything() }, pending)).toBe(false);
  });
});

describe('compileFlowMatch: preflights', () => {
  const preflight = samplePreflight('https://app.test/upload');

  it('skips them unless a method is named', () => {
    for (const match of ['**/upload', /upload/, { path: '/upload' }, { filter: '~u upload' }, () => true]) {
      expect(holds(match, preflight)).toBe(false);
      expect(compileFlowMatch(match as FlowMatch).namesMethod).toBe(false);
    }
    for (const match of [{ path: '/upload', method: 'OPTIONS' }, { filter: '~m OPTIONS' }]) {
      expect(holds(match, preflight)).toBe(true);
      expect(compileFlowMatch(match).namesMethod).toBe(true);
    }
    expect(holds('**/upload', sampleFlow({ method: 'OPTIONS', url: 'https://app.test/upload' }))).toBe(true);
  });
});

describe('compileFlowMatch: refusals', () => {
  const table: [match: unknown, message: RegExp][] = [
    [
      undefined,
      /match: undefined is not accepted; give a URL glob, a RegExp, a function or an object of method,/,
    ],
    ['', /match: "" is not accepted/],
    [[], /match: \[\] is not accepted/],
    [{}, /without keys would match every flow; give '\*\*'/],
    [{ status: undefined }, /without keys/],
    [
      { contenttype: 'x/y' },
      /unknown key "contenttype", given "x\/y"; did you mean contentType\?; accepted keys are method, status/,
    ],
    [{ zzzzzz: 1 }, /unknown key "zzzzzz", given 1; accepted keys/],
    [{ toString: 1 }, /unknown key "toString"/],
    [{ url: 5 }, /match: url: 5 is not accepted; give a glob.*accepted keys are/],
    [{ url: '' }, /url: "" is not accepted/],
    [{ url: '{a' }, /match: url: glob "\{a": '\{' is not closed/],
    [{ method: 'GET|POST' }, /method: "GET\|POST" is not accepted; give one method/],
    [{ method: /GET/ }, /method: \/GET\/ is not accepted/],
    [{ host: 'https://app.test' }, /host: "https:\/\/app.test" is not accepted; give a glob of a host name/],
    [{ path: 'api/done' }, /path: "api\/done" is not accepted; give a glob that starts with '\/'/],
    [{ status: '200' }, /status: "200" is not accepted; give a status code/],
    [{ status: 20 }, /status: 20 is not accepted/],
    [{ contentType: 'json' }, /contentType: "json" is not accepted; give a media type without parameters/],
    [{ contentType: 'text/html; charset=utf-8' }, /contentType/],
    [{ largerThan: '3mb' }, /largerThan: .*"3mb" is not a size; accepted is a number of bytes/],
    [{ headers: {} }, /headers: \{\} is not accepted; give an object of field names/],
    [{ headers: ['etag'] }, /headers: \[ 'etag' \] is not accepted/],
    [{ headers: { etag: 5 } }, /headers: \{ etag: 5 \} is not accepted/],
    [
      { error: 'ECONNRESET' },
      /error: "ECONNRESET" is not accepted; give true, false or one of CLIENT_ABORTED/,
    ],
    [{ filter: '~zz' }, /match: filter: .*~zz is not an operator/s],
    [{ filter: 5 }, /filter: 5 is not accepted; give a filter expression/],
  ];
  for (const [match, message] of table) {
    it(`refuses ${JSON.stringify(match)}`, () => {
      expect(() => compileFlowMatch(match as FlowMatch)).toThrow(
        expect.objectContaining({ code: 'BAD_MATCH', message: expect.stringMatching(message) }),
      );
    });
  }
});

describe('compileStreamMatch', () => {
  const atHead = (match: unknown, side: 'request' | 'response', of = flow) =>
    compileStreamMatch(match as never, side).test(
      side === 'request' ? of.request : (of.response as never),
      of,
    );

  it('looks at the message whose head it is', () => {
    expect(atHead('**/done?*', 'request')).toBe(true);
    expect(atHead({ contentType: 'application/json' }, 'request')).toBe(true);
    expect(atHead({ contentType: 'application/json' }, 'response')).toBe(false);
    expect(atHead({ headers: { 'cache-control': /60/ } }, 'response')).toBe(true);
    expect(
      atHead((message: unknown, of: unknown) => message === flow.request && of === flow, 'request'),
    ).toBe(true);
  });

  it('holds of a status only for responses', () => {
    expect(atHead({ status: 204 }, 'response')).toBe(true);
    expect(atHead({ status: 200 }, 'response')).toBe(false);
    expect(atHead({ status: 204 }, 'request')).toBe(false);
  });

  it('goes by Content-Length alone', () => {
    expect(atHead({ largerThan: 4999 }, 'response')).toBe(true);
    expect(atHead({ largerThan: 0 }, 'request', sampleFlow({ received: 100 }))).toBe(false);
  });

  it('skips preflights unless a method is named', () => {
    const preflight = samplePreflight('https://app.test/upload');
    expect(atHead('**/upload', 'request', preflight)).toBe(false);
    expect(atHead(() => true, 'request', preflight)).toBe(false);
    expect(atHead({ method: 'OPTIONS' }, 'request', preflight)).toBe(true);
  });

  it('resolves globs against the base URL', () => {
    const match = compileStreamMatch('/api/done', 'request', { baseURL: 'https://app.test/' });
    expect(match.test(pending.request, pending)).toBe(true);
  });

  it('refuses what heads do not show, and promises', () => {
    expect(() => atHead({ json: {} }, 'request')).toThrow(
      /json cannot be known at the head.*accepted keys are method, status, host/,
    );
    expect(() => atHead({ filter: '~s' }, 'request')).toThrow(expect.objectContaining({ code: 'BAD_MATCH' }));
    expect(() => compileStreamMatch((async () => true) as never, 'request')).toThrow(/gives a promise/);
    expect(() => atHead(() => Promise.reject(new Error('lost')), 'request')).toThrow(/gives a promise/);
  });
});

describe('explainMismatch', () => {
  const explain = (match: FlowMatch, of = flow, context?: MatchContext) =>
    explainMismatch(compileFlowMatch(match, context), of);

  it('says what did not hold, key by key', () => {
    expect(explain({ method: 'POST', path: '/api/don', status: 500 }).reasons).toEqual([
      'status was 204, expected 500',
      'path was "/api/done", expected "/api/don"',
    ]);
    expect(explain('**/upload').reasons).toEqual([
      'url was "https://api.app.test:8443/api/done?id=7", expected "**/upload"',
    ]);
    expect(explain(/up/).reasons).toEqual([
      'url was "https://api.app.test:8443/api/done?id=7", expected /up/',
    ]);
    expect(explain({ host: 'cdn.test' }).reasons).toEqual([
      'host was "api.app.test:8443", expected "cdn.test"',
    ]);
    expect(explain({ largerThan: '1m', contentType: 'text/css', headers: { etag: /x/ } }).reasons).toEqual([
      'contentType was image/png, expected text/css',
      'largerThan was 5000 bytes, expected more than 1048576',
      'headers was etag: undefined, expected etag: /x/',
    ]);
    expect(explain({ json: { user: { id: 8 } } }).reasons).toEqual([
      "json was { user: { id: 7, name: 'Ada' } }, expected { user: { id: 8 } }",
    ]);
  });

  it('says why there is nothing to look at', () => {
    expect(explain({ status: 204 }, pending).reasons).toEqual([
      'status was not known yet (no response), expected 204',
    ]);
    expect(explain({ status: 204 }, failed).reasons).toEqual([
      'status was not known (ORIGIN_CLOSED), expected 204',
    ]);
    expect(explain({ error: 'KILLED' }, failed).reasons).toEqual([
      'error was ORIGIN_CLOSED (it went away), expected KILLED',
    ]);
    const streamed = sampleFlow({ streamed: true }, { body: '<p>' });
    expect(explain({ json: 1 }, streamed).reasons).toEqual([
      'json was not kept (streamed) in the request and not JSON in the response, expected 1',
    ]);
    expect(explain('**', samplePreflight('https://app.test/')).reasons).toEqual([
      expect.stringContaining('CORS preflight'),
    ]);
    expect(
      explain(function isUpload() {
        return false;
      }).reasons,
    ).toEqual(['function isUpload did not accept it']);
  });

  it('shows matches as they were typed', () => {
    const shownAs = (match: FlowMatch) => compileFlowMatch(match).describe;
    expect(shownAs({ json: { id: expect.any(Number), user: expect.objectContaining({ a: /x/ }) } })).toBe(
      '{ json: { id: Any<Number>, user: ObjectContaining { a: /x/ } } }',
    );
    expect(shownAs((of) => of.request.method === 'POST')).toMatch(/of\.request\.method ?=== ?["']POST["']/);
    const cyclic: Record<string, unknown> = { list: [1, undefined, null] };
    cyclic.self = cyclic;
    expect(shownAs({ json: cyclic })).toMatch(/^\{ json: \{ list: \[ 1, undefined, null \], self: .*$/);
    expect(shownAs({ url: `**/${'x'.repeat(500)}` }).length).toBeLessThan(200);
  });

  it('scores a match 1 and nearer flows higher', () => {
    expect(explain({ method: 'POST', status: 204 })).toEqual({ score: 1, reasons: [] });
    const at = (url: string, status: number) => sampleFlow({ url: `https://app.test${url}` }, { status });
    const ranked = [
      at('/api/done', 500),
      at('/api/don', 204),
      at('/api/undo', 204),
      at('/style.css', 204),
      at('/style.css', 500),
    ];
    const query = { path: '/api/done', status: 204 };
    const scores = ranked.map((of) => explain(query, of).score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(new Set(scores).size).toBe(ranked.length);
    const near = explain('**/upload', at('/uploads', 200)).score;
    expect(near).toBeGreaterThan(explain('**/upload', at('/main.js', 200)).score);
  });
});
