import { describe, it } from 'node:test';
import { expect } from 'expect';
import { LIMITS, ProtocolError } from './head.js';
import { RequestParser } from './parser.js';
import { type Case, runs } from './testing/cases.js';
import { run } from './testing/transcript.js';

const refused = (status: number, says: RegExp, head: string, more: Partial<Case> = {}) => {
  const kind = head.startsWith('HTTP/') ? 'response' : 'request';
  it(`${kind} ${JSON.stringify(head.slice(0, 90))}`, () => {
    runs(kind, { head, error: { status, says }, ...more });
  });
};

describe('refused', () => {
  const TE = 'Transfer-Encoding: chunked\r\n';
  const heads: [status: number, says: RegExp, head: string][] = [
    [400, /bad request line/, 'GET  / HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET / HTTP/1.1 \r\n\r\n'],
    [400, /bad request line/, ' GET / HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET /\r\n\r\n'],
    [400, /bad request line/, 'GET /a b HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET /a\tb HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET /a\0b HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'G@T / HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET / http/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET / HTTP/1.10\r\n\r\n'],
    [400, /bad request line/, 'GET / HTTP/1\r\n\r\n'],
    [400, /bad request line/, '\rGET / HTTP/1.1\r\n\r\n'],
    [400, /bad request line/, 'GET /\r HTTP/1.1\r\n\r\n'],
    [505, /HTTP\/2.0 is not spoken/, 'PRI * HTTP/2.0\r\n\r\n'],
    [505, /HTTP\/0.9 is not spoken/, 'GET / HTTP/0.9\r\n\r\n'],
    [400, /bad status line/, 'HTTP/1.1 20 OK\r\n\r\n'],
    [400, /bad status line/, 'HTTP/1.1 2000 OK\r\n\r\n'],
    [400, /bad status line/, 'HTTP/1.1 099 OK\r\n\r\n'],
    [400, /bad status line/, 'HTTP/1.1  200 OK\r\n\r\n'],
    [400, /bad status line/, 'HTTP/1.1 200 a\0b\r\n\r\n'],
    [400, /bad status line/, 'HTTP/1.1 200 a\rb\r\n\r\n'],
    [505, /HTTP\/3.0 is not spoken/, 'HTTP/3.0 200 OK\r\n\r\n'],
    // Lines
    [400, /bad request line/, '\nGET / HTTP/1.1\r\n\r\n'],
    [400, /bad request line|bare LF/, 'GET / HTTP/1.1\nA: b\r\n\r\n'],
    [400, /control character|bare LF/, 'GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n'],
    [400, /control character|bare LF/, 'GET / HTTP/1.1\r\nA: b\n\r\n\r\n'],
    [400, /control character/, 'GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n'],
    [400, /control character/, 'GET / HTTP/1.1\r\nA: b\r\r\n\r\n'],
    [400, /control character/, 'GET / HTTP/1.1\r\nA: b\0\r\n\r\n'],
    [400, /control character/, 'GET / HTTP/1.1\r\nA: \x7f\r\n\r\n'],
    [400, /control character/, 'GET / HTTP/1.1\r\nA: \v\r\n\r\n'],
    [400, /bad field name "\\rA"/, 'GET / HTTP/1.1\r\n\rA: b\r\n\r\n'],
    // Fields
    [400, /bad field name "A "/, 'GET / HTTP/1.1\r\nA : b\r\n\r\n'],
    [400, /bad field name "A\\t"/, 'GET / HTTP/1.1\r\nA\t: b\r\n\r\n'],
    [400, /bad field name ""/, 'GET / HTTP/1.1\r\n: b\r\n\r\n'],
    [400, /bad field name/, 'GET / HTTP/1.1\r\n\xe9: b\r\n\r\n'],
    [400, /bad field name/, 'HTTP/1.1 200 OK\r\nA(: b\r\n\r\n'],
    [400, /without a colon: "A"/, 'GET / HTTP/1.1\r\nA\r\nB: c\r\n\r\n'],
    [400, /without a colon/, 'HTTP/1.1 200 OK\r\nA\r\n\r\n'],
    [400, /folded/, 'GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n'],
    [400, /folded/, 'GET / HTTP/1.1\r\nA: b\r\n\tc: d\r\n\r\n'],
    [400, /folded/, 'GET / HTTP/1.1\r\n A: b\r\n\r\n'],
    [400, /folded/, 'GET / HTTP/1.1\r\nA: b\r\n \r\n\r\n'],
    [400, /more than one Host/, 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n'],
    // Lengths
    [
      400,
      /more than one Content-Length/,
      'POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
    [
      400,
      /more than one Content-Length/,
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n',
    ],
    ...['1, 1', '', '+1', '-1', '0x1', '1.0', '1 1', '1_1', '\xb2', '1e1', 'x'].map(
      (length): [number, RegExp, string] => [
        400,
        /bad Content-Length/,
        `POST / HTTP/1.1\r\nContent-Length: ${length}\r\n\r\n`,
      ],
    ),
    [413, /over 2\^53/, 'POST / HTTP/1.1\r\nContent-Length: 9007199254740992\r\n\r\n'],
    [413, /over 2\^53/, 'POST / HTTP/1.1\r\nContent-Length: 9007199254740993\r\n\r\n'],
    [413, /over 2\^53/, 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n'],
    // Transfer codings
    [400, /both Transfer-Encoding and/, `POST / HTTP/1.1\r\n${TE}Content-Length: 1\r\n\r\n`],
    [400, /both Transfer-Encoding and/, `POST / HTTP/1.1\r\nContent-Length: 1\r\n${TE}\r\n`],
    [400, /both Transfer-Encoding and/, `HTTP/1.1 200 OK\r\n${TE}Content-Length: 1\r\n\r\n`],
    [400, /both Transfer-Encoding and/, `HTTP/1.1 304 Not Modified\r\n${TE}Content-Length: 1\r\n\r\n`],
    [400, /bad Content-Length/, 'HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n'],
    [
      400,
      /more than one Content-Length/,
      'HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    ],
    [400, /HTTP\/1.0 request/, `POST / HTTP/1.0\r\n${TE}\r\n`],
    [400, /HTTP\/1.0 response/, `HTTP/1.0 200 OK\r\n${TE}\r\n`],
    ...['gzip', 'chunked, gzip', 'identity', 'xchunked', 'chunked, chunked'].map(
      (codings): [number, RegExp, string] => [
        400,
        /last, and only the last, must be chunked/,
        `POST / HTTP/1.1\r\nTransfer-Encoding: ${codings}\r\n\r\n`,
      ],
    ),
    [400, /only the last/, `POST / HTTP/1.1\r\n${TE}${TE}\r\n`],
    [400, /chunked is not the last/, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n'],
    [400, /chunked is not the last/, `HTTP/1.1 200 OK\r\n${TE}${TE}\r\n`],
    // The last two are within what `trim()` takes off, but not within what HTTP does.
    ...[
      '',
      ',',
      'chunked,',
      ', chunked',
      'chunked;a=b',
      '"chunked"',
      'chun ked',
      'chunked\xa0',
      'gzip,\xa0chunked',
    ].flatMap((codings) =>
      ['POST / HTTP/1.1', 'HTTP/1.1 200 OK'].map((line): [number, RegExp, string] => [
        400,
        /bad Transfer-Encoding/,
        `${line}\r\nTransfer-Encoding: ${codings}\r\n\r\n`,
      ]),
    ),
    [400, /CONNECT request with a body/, 'CONNECT x:1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
    [400, /CONNECT request with a body/, `CONNECT x:1 HTTP/1.1\r\n${TE}\r\n`],
  ];
  for (const [status, says, head] of heads) refused(status, says, head, { events: [] });

  const bodies: [status: number, says: RegExp, chunks: string][] = [
    ...['', ' 1', 'x', 'g', '0x1', '-1', '+1', ';a', '"1"'].map((line): [number, RegExp, string] => [
      400,
      /bad chunk size/,
      line,
    ]),
    ...[
      '1 ',
      '1 a',
      '1_0',
      '1,a',
      '1;a\0',
      '1;a\r',
      '1\r;a',
      '1;\x7f',
      '0 ',
      '1.0',
      '1;',
      '1;a;',
      '1;a b',
      '1;a="',
      '1;a="\\"',
      '1;a="\0"',
    ].map((line): [number, RegExp, string] => [400, /bad chunk size or extension/, line]),
    [413, /over 2\^53/, '20000000000000'],
    [413, /over 2\^53/, 'fffffffffffffffff'],
    [413, /over 2\^53/, '100000000000000000000000000000005'],
  ].map(([status, says, line]) => [status as number, says as RegExp, `${String(line)}\r\nx\r\n`]);
  bodies.push(
    [400, /chunk line ended by a bare LF/, '1\nx\r\n0\r\n\r\n'],
    [400, /chunk line ended by a bare LF/, '1;a\nx\r\n0\r\n\r\n'],
    [400, /chunk line ended by a bare LF/, '\n'],
    [400, /no CRLF after its data/, '1\r\nxy\r\n'],
    [400, /no CRLF after its data/, '1\r\nx\n0\r\n\r\n'],
    [400, /no CRLF after its data/, '1\r\nx\r0\r\n\r\n'],
    [400, /no CRLF after its data/, '2\r\nx\r\n0\r\n\r\n'],
    [400, /bare LF/, '0\r\n\n'],
    [400, /bare LF/, '0\r\nA: b\n\n'],
    [400, /control character|bare LF/, '0\r\nA: b\nC: d\r\n\r\n'],
    [400, /folded/, '0\r\n A: b\r\n\r\n'],
    [400, /bad field name/, '0\r\nA : b\r\n\r\n'],
    [400, /without a colon/, '0\r\nGET / HTTP/1.1\r\n\r\n'],
    [400, /control character/, '0\r\nA: b\rc\r\n\r\n'],
    [400, /Content-Length among the trailers/, '0\r\ncontent-length: 1\r\n\r\n'],
    [400, /Transfer-Encoding among the trailers/, '0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n'],
  );
  for (const [status, says, chunks] of bodies) {
    refused(status, says, `POST / HTTP/1.1\r\n${TE}\r\n${chunks}`);
  }

  it('after the octets before the fault were passed on', () => {
    const { messages } = runs('response', {
      head: `HTTP/1.1 200 OK\r\n${TE}\r\n`,
      body: '5\r\nhello\r\n1\r\nx\r',
      tail: '?',
      error: { status: 400, says: /no CRLF/ },
    });
    expect(messages.map((message) => message.wire.toString())).toEqual(['5\r\nhello\r\n1\r\nx\r']);
  });

  it('after they were passed on once', () => {
    const wires: string[] = [];
    const parser = new RequestParser({
      head() {},
      chunk() {},
      data() {},
      wire: (bytes, start, end) => wires.push(bytes.toString('latin1', start, end)),
      end() {},
    });
    const endless = `1;${'x'.repeat(LIMITS.chunkLine)}`;
    const input = Buffer.from(`POST / HTTP/1.1\r\n${TE}\r\n2\r\nab\r\n${endless}`);
    expect(() => parser.execute(input)).toThrow(/a chunk line of more than/);
    expect(wires).toEqual(['2\r\nab\r\n']);
  });

  it('for good', () => {
    const nothing = { head() {}, chunk() {}, data() {}, wire() {}, end() {} };
    const parser = new RequestParser(nothing);
    expect(() => parser.execute(Buffer.from('GET\r\n\r\n'))).toThrow(ProtocolError);
    expect(() => parser.execute(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toThrow(
      'the parser has failed before',
    );
    expect(parser.finish()).toBe(false);
    expect(parser.idle).toBe(false);
  });
});

describe('limits', () => {
  const near = (at: number) => [1, at - 4096, at - 3, at - 2, at - 1].filter((offset) => offset > 0);
  const start = 'GET / HTTP/1.1\r\n';
  const head = (octets: number) => `${start}A: ${'x'.repeat(octets - start.length - 7)}\r\n\r\n`;
  const chunked = 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n';
  const fields = (n: number) => Array.from({ length: n }, (_, i) => `f${i}: v\r\n`).join('');

  it('a head of 64 KiB', () => {
    const input = head(LIMITS.head);
    expect(runs('request', { head: input, offsets: near(input.length) }).messages).toHaveLength(1);
    refusedAt(head(LIMITS.head + 1), /a head of more than 65536 octets/);
  });
  it('a head that does not end', () => {
    refusedAt(head(LIMITS.head + 10).slice(0, LIMITS.head + 1), /a head of more than 65536 octets/);
  });
  it('256 fields', () => {
    runs('request', { head: `${start}${fields(256)}\r\n`, offsets: [100] });
    refusedAt(`${start}${fields(257)}\r\n`, /more than 256 fields/);
  });
  it('a chunk line of 4 KiB', () => {
    const line = (octets: number) => `1;${'e'.repeat(octets - 4)}\r\n`;
    const body = `${line(LIMITS.chunkLine)}x\r\n`;
    runs('request', { head: chunked, body, tail: '0\r\n\r\n', offsets: near(chunked.length + 4096) });
    refusedAt(`${chunked}${line(LIMITS.chunkLine + 1)}x\r\n`, /a chunk line of more than 4096 octets/);
    refusedAt(
      `${chunked}${line(LIMITS.chunkLine + 3).slice(0, -2)}`,
      /a chunk line of more than 4096 octets/,
    );
  });
  it('trailers of 16 KiB', () => {
    const trailers = (octets: number) => `A: ${'x'.repeat(octets - 7)}\r\n\r\n`;
    const tail = `0\r\n${trailers(LIMITS.trailers)}`;
    runs('request', { head: chunked, tail, offsets: near(chunked.length + tail.length) });
    const over = /a trailer section of more than 16384 octets/;
    refusedAt(`${chunked}0\r\n${trailers(LIMITS.trailers + 1)}`, over);
    refusedAt(`${chunked}0\r\n${trailers(LIMITS.trailers + 5).slice(0, -4)}`, over);
    refusedAt(`${chunked}0\r\n${fields(257)}\r\n`, /more than 256 fields/);
  });
  it('lengths under 2^53 are taken', () => {
    const length = `POST / HTTP/1.1\r\nContent-Length: ${Number.MAX_SAFE_INTEGER}\r\n\r\n`;
    const framed = runs('request', { head: length, body: 'x', clean: false });
    expect(framed.messages[0]?.head.framing).toEqual({ kind: 'length', length: Number.MAX_SAFE_INTEGER });
    const body = '0001fffffffffffff\r\nx';
    const inChunks = runs('request', { head: chunked, body, clean: false });
    expect(inChunks.messages[0]?.chunks).toEqual([
      { size: Number.MAX_SAFE_INTEGER, line: body.slice(0, 17) },
    ]);
  });
  it('empty lines before a head count for nothing', () => {
    const input = '\r\n'.repeat(LIMITS.head) + start;
    const told = run(Buffer.from(`${input}\r\n`), [], { kind: 'request' });
    expect(told.messages).toHaveLength(1);
  });

  function refusedAt(input: string, says: RegExp) {
    runs('request', { head: input, offsets: near(input.length), error: { status: 431, says } });
  }
});
