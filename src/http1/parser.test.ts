import { describe, it } from 'node:test';
import { expect } from 'expect';
import { RequestParser } from './parser.js';
import { type Case, runs } from './testing/cases.js';

const request = (name: string, expected: Case) => it(name, () => void runs('request', expected));
const response = (name: string, expected: Case) => it(name, () => void runs('response', expected));
describe('requests', () => {
  request('without a body', {
    head: 'GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept:  */* \t\r\n\r\n',
    events: [
      'head GET /a?b=c 1.1 none keepAlive "Host: x\\r\\nAccept:  */* \\t\\r\\n"',
      'end undefined undefined',
    ],
  });
  request('with Content-Length', {
    head: 'PUT / HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\n',
    body: 'he\r\n0',
    events: [
      'head PUT / 1.1 length:5 keepAlive "content-LENGTH: 5\\r\\n"',
      'data "he\\r\\n0"',
      'end undefined undefined',
    ],
  });
  request('with Content-Length 0 has no body', {
    head: 'POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
    events: ['head POST / 1.1 none keepAlive "Content-Length: 0\\r\\n"', 'end undefined undefined'],
  });
  request('in absolute, authority and asterisk form', {
    head:
      'GET http://x:1/y HTTP/1.1\r\n\r\n' +
      'CONNECT x:443 HTTP/1.1\r\n\r\n' +
      'OPTIONS * HTTP/1.1\r\n\r\n' +
      'M-SEARCH /\xe9 HTTP/1.1\r\n\r\n',
    events: [
      'head GET http://x:1/y 1.1 none keepAlive ""',
      'end undefined undefined',
      'head CONNECT x:443 1.1 none keepAlive ""',
      'end undefined undefined',
      'head OPTIONS * 1.1 none keepAlive ""',
      'end undefined undefined',
      'head M-SEARCH /\xe9 1.1 none keepAlive ""',
      'end undefined undefined',
    ],
  });
  request('with empty lines before them', {
    head: '\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\n\r\n',
    events: [
      'head GET / 1.1 none keepAlive ""',
      'end undefined undefined',
      'head GET /2 1.1 none keepAlive ""',
      'end undefined undefined',
    ],
  });
  request('chunked: line, data and wire', {
    head: 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
    body: '5\r\nhello\r\n1;a=b\r\n \r\n00B ; q="x;\xe9"\r\nworld\r\n0\r\n\r\r\n',
    tail: '0\r\n\r\n',
    events: [
      'head POST / 1.1 chunked keepAlive "Transfer-Encoding: chunked\\r\\n"',
      'chunk 5 "5"',
      'data "hello"',
      'chunk 1 "1;a=b"',
      'data " "',
      'chunk 11 "00B ; q=\\"x;\xe9\\""',
      'data "world\\r\\n0\\r\\n\\r"',
      'end "0" undefined',
    ],
  });
  request('chunked: the last chunk with extensions, and trailers', {
    head: 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n',
    body: 'a\r\n0123456789\r\n',
    tail: '000;last\r\nA: b\r\nSet-Cookie:  c \r\n\r\n',
    events: [
      'head POST / 1.1 chunked keepAlive "Transfer-Encoding: gzip, Chunked\\r\\n"',
      'chunk 10 "a"',
      'data "0123456789"',
      'end "000;last" [["A","b"],["Set-Cookie","c"]]',
    ],
  });
  request('chunked: an empty body', {
    head: 'POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\n\r\n',
    tail: '0\r\n\r\n',
    events: ['head POST / 1.1 chunked keepAlive "Transfer-Encoding:chunked\\r\\n"', 'end "0" undefined'],
  });
  request('pipelined, of every framing', {
    head: 'POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
    tail:
      '0\r\nT: 1\r\n\r\n' +
      'GET /2 HTTP/1.1\r\n\r\n' +
      'POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' +
      'GET /4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    events: [
      'head POST /1 1.1 chunked keepAlive "Transfer-Encoding: chunked\\r\\n"',
      'end "0" [["T","1"]]',
      'head GET /2 1.1 none keepAlive ""',
      'end undefined undefined',
      'head POST /3 1.1 chunked keepAlive "Transfer-Encoding: chunked\\r\\n"',
      'end "0" undefined',
      'head GET /4 1.0 none keepAlive "Connection: keep-alive\\r\\n"',
      'end undefined undefined',
    ],
  });
  it('pipelined: each message has its own wire, and what follows the last is left', () => {
    const told = runs('request', {
      head: 'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n',
      body: 'abc',
      tail:
        'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' +
        'GET / HTTP/1.1\r\nConnection: close\r\n\r\n\x16\x03\x01',
      goOn: (message) => message.head.keepAlive,
      left: 3,
    });
    expect(told.messages.map((message) => message.wire.toString())).toEqual(['abc', '', '']);
  });
  request('Expect, Upgrade and Connection', {
    head:
      'GET /1 HTTP/1.1\r\nExpect: 100-Continue\r\nUpgrade: websocket\r\nConnection: Keep-Alive, Upgrade\r\n\r\n' +
      'GET /2 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n' +
      'GET /3 HTTP/1.0\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n' +
      'GET /4 HTTP/1.1\r\nConnection: x\r\nProxy-Connection: close\r\n\r\n' +
      'GET /5 HTTP/1.0\r\nProxy-Connection: Keep-Alive\r\n\r\n' +
      'GET /6 HTTP/1.0\r\nConnection: Keep-Alive, CLOSE\r\n\r\n',
    events: [
      'head GET /1 1.1 none keepAlive expectContinue upgrade=websocket ' +
        '"Expect: 100-Continue\\r\\nUpgrade: websocket\\r\\nConnection: Keep-Alive, Upgrade\\r\\n"',
      'end undefined undefined',
      'head GET /2 1.1 none "Upgrade: websocket\\r\\nConnection: close\\r\\n"',
      'end undefined undefined',
      'head GET /3 1.0 none "Expect: 100-continue\\r\\nUpgrade: h2c\\r\\nConnection: upgrade\\r\\n"',
      'end undefined undefined',
      'head GET /4 1.1 none "Connection: x\\r\\nProxy-Connection: close\\r\\n"',
      'end undefined undefined',
      'head GET /5 1.0 none keepAlive "Proxy-Connection: Keep-Alive\\r\\n"',
      'end undefined undefined',
      'head GET /6 1.0 none "Connection: Keep-Alive, CLOSE\\r\\n"',
      'end undefined undefined',
    ],
  });
  request('a minor version above 1 is read as 1.1', {
    head: 'GET / HTTP/1.7\r\n\r\n',
    events: ['head GET / 1.1 none keepAlive ""', 'end undefined undefined'],
  });
});

describe('responses', () => {
  response('interim ones, then the final one', {
    head:
      'HTTP/1.1 100 Continue\r\n\r\n' +
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n',
    body: 'ok',
    events: [
      'head 100 Continue 1.1 none keepAlive ""',
      'end undefined undefined',
      'head 103 Early Hints 1.1 none keepAlive "Link: </a>\\r\\nContent-Length: 7\\r\\n"',
      'end undefined undefined',
      'head 200 OK 1.1 length:2 keepAlive "Content-Length: 2\\r\\n"',
      'data "ok"',
      'end undefined undefined',
    ],
  });
  response('without a body for their request or status, whatever the fields say', {
    methods: ['HEAD', 'GET', 'GET', 'CONNECT'],
    head:
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n' +
      'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n' +
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n' +
      'HTTP/1.0 200 Established\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n',
    events: [
      'head 200 OK 1.1 none keepAlive "Content-Length: 9\\r\\n"',
      'end undefined undefined',
      'head 204 No Content 1.1 none keepAlive "Transfer-Encoding: chunked\\r\\n"',
      'end undefined undefined',
      'head 304 Not Modified 1.1 none keepAlive "Content-Length: 5\\r\\n"',
      'end undefined undefined',
      'head 200 Established 1.0 none keepAlive "Content-Length: 5\\r\\nConnection: keep-alive\\r\\n"',
      'end undefined undefined',
    ],
  });
  response('a refused CONNECT has a body', {
    methods: ['CONNECT'],
    head: 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\n',
    body: 'no',
    events: [
      'head 407 Proxy Authentication Required 1.1 length:2 keepAlive "Content-Length: 2\\r\\n"',
      'data "no"',
      'end undefined undefined',
    ],
  });
  response('until the connection closes', {
    head: 'HTTP/1.1 200 OK\r\n\r\n',
    body: 'HTTP/1.1 200 OK\r\n\r\n',
    events: ['head 200 OK 1.1 close ""', 'data "HTTP/1.1 200 OK\\r\\n\\r\\n"', 'end undefined undefined'],
  });
  response('until the connection closes, with nothing', {
    head: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n',
    events: ['head 200 OK 1.0 close "Connection: keep-alive\\r\\n"', 'end undefined undefined'],
  });
  response('until the connection closes where chunked is not among the codings', {
    head: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    body: '5\r\n',
    events: [
      'head 200 OK 1.1 close "Transfer-Encoding: gzip\\r\\n"',
      'data "5\\r\\n"',
      'end undefined undefined',
    ],
  });
  response('chunked with trailers, then another', {
    head: 'HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n',
    body: '3\r\nabc\r\n',
    tail: '0\r\nX-Sum: 1\r\n\r\nHTTP/1.1 299 \x80dd \tstatus\r\nConnection: close\r\nContent-Length:0\r\n\r\n',
    events: [
      'head 200  1.1 chunked keepAlive "Transfer-Encoding: chunked\\r\\n"',
      'chunk 3 "3"',
      'data "abc"',
      'end "0" [["X-Sum","1"]]',
      'head 299 \x80dd \tstatus 1.1 none "Connection: close\\r\\nContent-Length:0\\r\\n"',
      'end undefined undefined',
    ],
  });
  response('without a reason phrase and its space', {
    head: 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n',
    events: ['head 404  1.1 none keepAlive "Content-Length: 0\\r\\n"', 'end undefined undefined'],
  });
});

describe('an input that ends early is not a clean end', () => {
  for (const [kind, head, tail] of [
    ['request', 'GET / HTT', ''],
    ['request', 'GET / HTTP/1.1\r\nA: b\r\n', ''],
    ['request', 'POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n', ''],
    ['response', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', ''],
    ['response', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '0\r\n'],
    ['response', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '0\r\nA: b\r\n'],
  ] as const) {
    it(JSON.stringify(head + tail), () => void runs(kind, { head, tail, clean: false }));
  }
  for (const body of ['hell', '5\r\nhel', '5\r\nhello', '5\r\nhello\r\n']) {
    const framing = body.startsWith('5') ? 'Transfer-Encoding: chunked' : 'Content-Length: 5';
    it(`${JSON.stringify(body)}, whose wire was told`, () => {
      runs('request', { head: `POST / HTTP/1.1\r\n${framing}\r\n\r\n`, body, clean: false });
    });
  }
});

describe('the state between calls', () => {
  const nothing = { head() {}, chunk() {}, data() {}, wire() {}, end() {} };

  it('idle and midHead', () => {
    const parser = new RequestParser(nothing);
    const states: unknown[] = [];
    const look = (text: string) => {
      parser.execute(Buffer.from(text));
      states.push([text, parser.idle, parser.midHead]);
    };
    look('');
    look('\r\n');
    look('\r');
    look('\n');
    look('GET / HTTP/1.1\r');
    look('\nContent-Length: 1\r\n\r\n');
    look('x');
    look('GET');
    parser.next();
    look('G');
    expect(states).toEqual([
      ['', true, false],
      ['\r\n', true, false],
      ['\r', false, true],
      ['\n', true, false],
      ['GET / HTTP/1.1\r', false, true],
      ['\nContent-Length: 1\r\n\r\n', false, false],
      ['x', true, false],
      ['GET', true, false],
      ['G', false, true],
    ]);
  });

  it('next() from within end goes on in the same call', () => {
    const targets: string[] = [];
    const parser: RequestParser = new RequestParser({
      ...nothing,
      head: (head) => void targets.push(head.target),
      end: () => parser.next(),
    });
    const input = Buffer.from('GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3');
    expect(parser.execute(input)).toBe(input.length);
    expect(targets).toEqual(['/1', '/2']);
    expect(parser.midHead).toBe(true);
  });

  it('finish() tells an end that a pause has held back', () => {
    const told: string[] = [];
    const parser: RequestParser = new RequestParser({
      ...nothing,
      wire: () => parser.pause(),
      end: () => void told.push('end'),
    });
    parser.execute(Buffer.from('PUT / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx'));
    expect(told).toEqual([]);
    expect(parser.finish()).toBe(true);
    expect(told).toEqual(['end']);
  });

  it('a handler that throws is not called again', () => {
    const calls: string[] = [];
    const parser = new RequestParser({
      ...nothing,
      wire: () => {
        calls.push('wire');
        throw new Error('mine');
      },
    });
    const input = Buffer.from('PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
    expect(() => parser.execute(input)).toThrow('mine');
    expect(calls).toEqual(['wire']);
  });
});
