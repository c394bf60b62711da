import { describe, it } from 'node:test';
import { expect } from 'expect';
import { Headers } from '../flow/headers.js';
import { receivedFields, requestFields, responseFields, trailerFields } from './fields.js';

const fields = (...list: [string, string][]) => new Headers(list.flat());

describe('fields on their way to HTTP/2', () => {
  it('are in lower case, with repeats side by side', () => {
    const sent = responseFields(200, fields(['Set-Cookie', 'a'], ['X-Y', 'b'], ['set-cookie', 'c']));
    expect({ ...sent }).toEqual({ ':status': 200, 'set-cookie': ['a', 'c'], 'x-y': 'b' });
  });

  it('that node:http2 takes one value of are joined', () => {
    const repeated = fields(
      ['ETag', '"a"'],
      ['Content-Type', 'a/b'],
      ['etag', '"b"'],
      ['content-type', 'c/d'],
    );
    expect({ ...responseFields(200, repeated) }).toMatchObject({
      etag: '"a", "b"',
      'content-type': 'a/b, c/d',
    });
  });

  it('leave out what is about a connection, and what Connection names', () => {
    const connection = fields(
      ['Connection', 'close, X-Hop'],
      ['connection', 'x-other'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'close'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'x'],
      ['HTTP2-Settings', 'x'],
      ['X-Hop', '1'],
      ['X-Other', '2'],
      ['X-Stays', '3'],
    );
    expect({ ...trailerFields(connection) }).toEqual({ 'x-stays': '3' });
  });

  it('have no more of TE than that trailers are welcome', () => {
    const te = (value: string) => ({ ...trailerFields(fields(['TE', value])) });
    expect(te('gzip, trailers')).toEqual({ te: 'trailers' });
    expect(te('Trailers')).toEqual({ te: 'trailers' });
    expect(te('gzip')).toEqual({});
    expect(te('x-trailers')).toEqual({});
  });

  it('may be called like what every object has', () => {
    const odd = fields(['constructor', 'a'], ['__proto__', 'b'], ['__proto__', 'c']);
    expect(Object.entries(trailerFields(odd))).toEqual([
      ['constructor', 'a'],
      ['__proto__', ['b', 'c']],
    ]);
  });

  it('of a request have the authority in the place of Host', () => {
    const request = { method: 'GET', target: '/a', headers: fields(['Host', 'a.test:81'], ['X', 'y']) };
    expect({ ...requestFields(request, 'https', 'b.test') }).toEqual({
      ':method': 'GET',
      ':scheme': 'https',
      ':authority': 'a.test:81',
      ':path': '/a',
      x: 'y',
    });
    const without = { ...request, headers: fields() };
    expect(requestFields(without, 'http', 'b.test')).toMatchObject({ ':authority': 'b.test' });
  });
});

describe('fields that came by HTTP/2', () => {
  it('are in order, with the authority as Host before them and the crumbs of Cookie in one', () => {
    const raw = [
      ':method',
      'GET',
      ':authority',
      'a.test',
      'x',
      '1',
      'cookie',
      'a=1',
      'y',
      '2',
      'cookie',
      'b=2',
    ];
    const { pseudo, headers } = receivedFields(raw);
    expect(pseudo).toEqual({ ':method': 'GET', ':authority': 'a.test' });
    expect([...headers]).toEqual([
      ['host', 'a.test'],
      ['x', '1'],
      ['cookie', 'a=1; b=2'],
      ['y', '2'],
    ]);
  });

  it('keep a Host of their own', () => {
    const { headers } = receivedFields([':authority', 'a.test', 'host', 'b.test']);
    expect([...headers]).toEqual([['host', 'b.test']]);
  });
});
