import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { expect } from 'expect';
import { Headers } from '../flow/headers.js';
import type { HttpFlow } from '../flow/types.js';
import { HAR_CREATOR, type HarOptions, toHar } from './har.js';
import { EPOCH, makeFlow, sha256 } from './testing/flows.js';
import type { HarEntry } from './types.js';

/** What HAR 1.2 requires of each object. */
const REQUIRED = {
  log: { version: 'string', creator: 'object', entries: 'array' },
  creator: { name: 'string', version: 'string' },
  entry: {
    startedDateTime: 'string',
    time: 'number',
    request: 'object',
    response: 'object',
    cache: 'object',
    timings: 'object',
  },
  request: {
    method: 'string',
    url: 'string',
    httpVersion: 'string',
    cookies: 'array',
    headers: 'array',
    queryString: 'array',
    headersSize: 'number',
    bodySize: 'number',
  },
  response: {
    status: 'number',
    statusText: 'string',
    httpVersion: 'string',
    cookies: 'array',
    headers: 'array',
    content: 'object',
    redirectURL: 'string',
    headersSize: 'number',
    bodySize: 'number',
  },
  content: { size: 'number', mimeType: 'string' },
  postData: { mimeType: 'string', params: 'array' },
  timings: { send: 'number', wait: 'number', receive: 'number' },
  named: { name: 'string', value: 'string' },
};

function requireKeys(kind: keyof typeof REQUIRED, value: unknown): void {
  const object = value as Record<string, unknown>;
  const types = Object.entries(REQUIRED[kind]).map(([key, type]) => {
    const found = object[key];
    return [key, type, Array.isArray(found) ? 'array' : typeof found];
  });
  expect({ kind, types: types.filter(([, wanted, found]) => wanted !== found) }).toEqual({ kind, types: [] });
}

/** One flow through JSON, as a reader of the file gets it, checked against HAR 1.2. */
function entry(flow: HttpFlow, options?: HarOptions): HarEntry {
  const har = JSON.parse(JSON.stringify(toHar([flow], options)));
  requireKeys('log', har.log);
  requireKeys('creator', har.log.creator);
  const [found] = har.log.entries as [HarEntry];
  const { request, response } = found;
  requireKeys('entry', found);
  requireKeys('request', request);
  requireKeys('response', response);
  requireKeys('content', response.content);
  requireKeys('timings', found.timings);
  if (request.postData !== undefined) requireKeys('postData', request.postData);
  for (const list of [
    request.headers,
    request.cookies,
    request.queryString,
    response.headers,
    response.cookies,
  ]) {
    for (const item of list) requireKeys('named', item);
  }
  return found;
}

describe('toHar', () => {
  it('names the package and its version', () => {
    const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(HAR_CREATOR).toEqual({ name, version });
    expect(toHar([])).toEqual({ log: { version: '1.2', creator: { name, version }, entries: [] } });
  });

  it('writes an ordinary exchange', () => {
    const flow = makeFlow({
      url: 'https://app.test/a%20b?q=1&q=two+words&empty#top',
      request: {
        headers: [
          ['Host', 'app.test'],
          ['X-Twice', 'b'],
          ['x-twice', 'a'],
          ['Sec-Fetch-Dest', 'style'],
        ],
      },
      response: { headers: [['Content-Type', 'text/plain; charset=utf-8']], body: 'grün' },
    });
    const { request, response, ...rest } = entry(flow);
    expect(rest).toEqual({
      startedDateTime: '2026-01-02T03:04:05.678Z',
      time: 40,
      cache: {},
      timings: { blocked: -1, dns: -1, connect: -1, ssl: -1, send: 2, wait: 10, receive: 28 },
      connection: '7',
      serverIPAddress: '192.0.2.7',
      _serverPort: 443,
      _resourceType: 'stylesheet',
    });
    expect(request.headers.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'Host=app.test',
      'X-Twice=b',
      'x-twice=a',
      'Sec-Fetch-Dest=style',
    ]);
    expect(request.queryString).toEqual([
      { name: 'q', value: '1' },
      { name: 'q', value: 'two words' },
      { name: 'empty', value: '' },
    ]);
    expect(request.postData).toBeUndefined();
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n';
    expect(response).toMatchObject({
      status: 200,
      httpVersion: 'HTTP/1.1',
      headersSize: head.length,
      bodySize: 5,
      _transferSize: head.length + 5,
      content: { size: 5, mimeType: 'text/plain; charset=utf-8', text: 'grün' },
    });
    expect(response.content.compression).toBeUndefined();
  });

  it('sorts by start and leaves what is given as it is', () => {
    const at = (ms: number) =>
      makeFlow({ url: `https://app.test/${ms}`, request: { startedAt: EPOCH + ms } });
    const flows = [at(3), at(1), at(2)];
    expect(toHar(flows).log.entries.map(({ request }) => request.url.at(-1))).toEqual(['1', '2', '3']);
    expect(flows.map((flow) => flow.request.url.at(-1))).toEqual(['3', '1', '2']);
  });

  it('tells what compression saved', () => {
    const text = '{"a":1}'.repeat(50);
    const body = gzipSync(text);
    const headers: [string, string][] = [
      ['content-type', 'application/json'],
      ['content-encoding', 'gzip'],
    ];
    const { content, bodySize } = entry(makeFlow({ response: { headers, body } })).response;
    expect({ bodySize, ...content }).toEqual({
      bodySize: body.length,
      size: 350,
      compression: 350 - body.length,
      mimeType: 'application/json',
      text,
    });
  });

  it('writes what is not text in base64', () => {
    const bytes = Buffer.from([0xff, 0, 1, 2]);
    const sent = (type: string, body: Buffer) =>
      entry(makeFlow({ response: { headers: [['content-type', type]], body } })).response.content;
    expect(sent('image/png', bytes)).toMatchObject({
      size: 4,
      text: bytes.toString('base64'),
      encoding: 'base64',
    });
    // Says it is UTF-8 and is not: as text it would not be the same octets.
    expect(sent('text/plain', bytes)).toMatchObject({ text: bytes.toString('base64'), encoding: 'base64' });
    expect(sent('text/plain; charset=iso-8859-1', Buffer.from([0x67, 0xfc]))).toMatchObject({ text: 'gü' });
    expect(entry(makeFlow({ response: { body: 'no type' } })).response.content).toEqual({
      size: 7,
      mimeType: 'x-unknown',
      text: 'no type',
    });
  });

  it('falls back to the body as sent where it cannot be decoded', () => {
    for (const [coding, why] of [
      ['gzip', 'the gzip data is broken'],
      ['snappy', 'snappy is not known'],
    ] as const) {
      const headers: [string, string][] = [
        ['content-type', 'text/plain'],
        ['content-encoding', coding],
      ];
      const flow = makeFlow({
        method: 'POST',
        request: { headers, body: 'not it' },
        response: { headers, body: 'not it' },
      });
      const { request, response } = entry(flow);
      const text = Buffer.from('not it').toString('base64');
      expect(response.content).toMatchObject({ size: 6, text, encoding: 'base64' });
      expect(response.content.comment).toContain(why);
      expect(response.content.comment).toContain('as it was sent');
      expect(response.content.compression).toBeUndefined();
      expect(request.postData).toMatchObject({ text, _encoding: 'base64' });
      expect(request.postData?.comment).toContain(why);
    }
  });

  it('gives the fields of an urlencoded body and the parts of a multipart one', () => {
    const posted = (type: string, body: string, parts = makeFlow().request.parts) =>
      entry(makeFlow({ method: 'POST', request: { headers: [['Content-Type', type]], body, parts } }))
        .request;
    expect(posted('application/x-www-form-urlencoded', 'name=Ada+L&x=%26').postData).toEqual({
      mimeType: 'application/x-www-form-urlencoded',
      text: 'name=Ada+L&x=%26',
      params: [
        { name: 'name', value: 'Ada L' },
        { name: 'x', value: '&' },
      ],
    });
    const part = {
      name: 'file',
      filename: 'a.bin',
      contentType: 'video/mp4',
      bytes: 3,
      sha256: sha256('abc'),
    };
    expect(posted('multipart/form-data; boundary=x', '--x--', [part]).postData?.params).toEqual([
      {
        name: 'file',
        fileName: 'a.bin',
        contentType: 'video/mp4',
        comment: `3 bytes, SHA-256 ${sha256('abc')}`,
      },
    ]);
  });

  it('leaves streamed bodies out and says how they moved', () => {
    const body = Buffer.alloc(10_000, 'b');
    const flow = makeFlow({
      method: 'POST',
      request: { bodyStatus: 'streamed', body, headers: [['Content-Type', 'text/plain']] },
      response: {
        bodyStatus: 'streamed',
        body: gzipSync(body),
        headers: [['Content-Encoding', 'gzip']],
        truncated: true,
        trailers: [['X-Sum', '1']],
      },
    });
    const { request, response } = entry(flow);
    const side = {
      bytes: 10_000,
      sha256: sha256(body),
      pieces: {
        count: 3,
        runs: [
          [4096, 2],
          [1808, 1],
        ],
      },
    };
    expect(request).toMatchObject({
      bodySize: 10_000,
      _streamed: true,
      _transfer: { received: side, sent: side },
    });
    expect(request._transfer?.sent.pieces).not.toHaveProperty('truncated');
    expect(request.postData).toEqual({
      mimeType: 'text/plain',
      params: [],
      comment: 'The body was streamed and not recorded: 10000 bytes in 3 pieces.',
    });
    expect(response).toMatchObject({ bodySize: gzipSync(body).length, _streamed: true });
    expect(response._transfer?.sent).toMatchObject({
      decoded: { bytes: 10_000, sha256: sha256(body) },
      pieces: { truncated: true },
    });
    expect(response.content).not.toHaveProperty('text');
    expect(response.content).toMatchObject({ size: 10_000, compression: 10_000 - gzipSync(body).length });
    expect(response.content.comment).toContain('streamed');
    expect(response._trailers).toEqual([{ name: 'X-Sum', value: '1' }]);
  });

  it('writes failed flows', () => {
    const error = { code: 'ORIGIN_UNREACHABLE', message: 'app.test:443: connection refused' } as const;
    const none = entry(makeFlow({ response: null, server: null, error }));
    expect(none.response).toMatchObject({
      status: 0,
      bodySize: -1,
      headersSize: -1,
      _failureText: 'ORIGIN_UNREACHABLE: app.test:443: connection refused',
    });
    expect(none).not.toHaveProperty('serverIPAddress');
    expect(none.timings).toMatchObject({ send: 2, wait: -1, receive: -1 });
    const cut = entry(
      makeFlow({
        response: { status: 206, body: 'half', complete: false, endedAt: null },
        error: { code: 'ORIGIN_CLOSED', message: 'too early' },
      }),
    );
    expect(cut.response).toMatchObject({ status: 206, _failureText: 'ORIGIN_CLOSED: too early' });
    expect(cut.response.content).toMatchObject({
      text: 'half',
      comment: 'The body did not arrive to its end.',
    });
    expect(cut.timings).toMatchObject({ wait: 10, receive: -1 });
    expect(cut.time).toBe(12);
  });

  it('writes flows that are still in flight, and odd ones', () => {
    const pending = makeFlow({
      method: 'POST',
      request: { bodyStatus: 'pending', body: 'abc', complete: false, startedAt: Number.NaN, endedAt: null },
      response: null,
    });
    const found = entry(pending);
    expect(found.comment).toContain('in flight');
    expect(found.response).not.toHaveProperty('_failureText');
    expect(found).toMatchObject({
      time: 0,
      timings: { send: -1, wait: -1, receive: -1 },
      response: { status: 0 },
    });
    expect(found.request.bodySize).toBe(3);
    expect(entry(makeFlow({ url: 'not a url ?x=%zz' })).request.queryString).toEqual([
      { name: 'x', value: '%zz' },
    ]);
    const answered = makeFlow({ request: { body: 'a' }, server: null });
    expect(entry(answered)).not.toHaveProperty('comment');
    expect(entry(makeFlow({ request: { complete: false } })).comment).toContain('in flight');
    const early = entry(
      makeFlow({
        request: { endedAt: EPOCH + 500 },
        response: { startedAt: EPOCH + 20, endedAt: EPOCH + 50 },
      }),
    );
    expect(early.timings).toMatchObject({ send: 20, wait: 0, receive: 30 });
  });

  it('writes redirects, preflights, interim responses, warnings and chained proxies', () => {
    const found = entry(
      makeFlow({
        preflight: true,
        server: { address: '[2001:db8::1]', via: 'proxy.test:3128' },
        response: { status: 302, headers: [['Location', '/there']] },
        informational: [
          {
            status: 103,
            statusText: 'Early Hints',
            headers: Headers.from({ Link: '</a>' }),
            timestamp: EPOCH,
          },
        ],
        warnings: ['late'],
      }),
    );
    expect(found).toMatchObject({
      serverIPAddress: '2001:db8::1',
      _resourceType: 'preflight',
      _warnings: ['late'],
      _informational: [
        { status: 103, headers: [{ name: 'Link', value: '</a>' }], time: '2026-01-02T03:04:05.678Z' },
      ],
      response: { redirectURL: '/there' },
    });
    expect(entry(makeFlow({ server: { address: 'app.test' } }))).not.toHaveProperty('serverIPAddress');
  });
});
