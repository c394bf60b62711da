import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { expect } from 'expect';
import { random } from '../testing/bytes.js';
import { readClientHello } from './client-hello.js';
import { CHROMIUM_HELLO } from './testing/hellos.js';

const NOTHING = { serverName: undefined, protocols: [] };

/** The first record that `speak` sends to a port. */
async function helloFrom(speak: (port: number) => () => void): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = speak((server.address() as AddressInfo).port);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  try {
    let got = Buffer.alloc(0);
    while (got.length < 5 || got.length < 5 + got.readUInt16BE(3)) {
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      got = Buffer.concat([got, bytes]);
    }
    return got.subarray(0, 5 + got.readUInt16BE(3));
  } finally {
    socket.destroy();
    stop();
    server.close();
  }
}

function nodeHello(options: tls.ConnectionOptions): Promise<Buffer> {
  return helloFrom((port) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ...options });
    socket.on('error', () => undefined);
    return () => socket.destroy();
  });
}

function opensslHello(...args: string[]): Promise<Buffer> {
  return helloFrom((port) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args]);
    return () => child.kill();
  });
}

/** The handshake message of a record in records of `size` octets. */
function inRecords(hello: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    const head = Buffer.from(hello.subarray(0, 5));
    head.writeUInt16BE(part.length, 3);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}

const u8 = (body: Buffer) => Buffer.concat([Buffer.from([body.length]), body]);
const u16 = (body: Buffer) => Buffer.concat([Buffer.from([body.length >> 8, body.length & 255]), body]);

/** A hello with these extensions; `undefined` for one that has not even their length. */
function helloWith(extensions: [type: number, body: Buffer][] | undefined): Buffer {
  const list = extensions?.flatMap(([type, body]) => [Buffer.from([type >> 8, type & 255]), u16(body)]);
  const message = Buffer.concat([
    Buffer.alloc(34, 3),
    u8(Buffer.alloc(32)),
    u16(Buffer.from([0x0a, 0x0a, 0x13, 0x01])),
    u8(Buffer.from([0])),
    ...(list === undefined ? [] : [u16(Buffer.concat(list))]),
  ]);
  const size = Buffer.from([1, 0, message.length >> 8, message.length & 255]);
  return Buffer.concat([Buffer.from([0x16, 3, 1]), u16(Buffer.concat([size, message]))]);
}

const alpn = (...names: string[]): [number, Buffer] => [
  16,
  u16(Buffer.concat(names.map((name) => u8(Buffer.from(name, 'latin1'))))),
];
const sni = (name: string, type = 0): [number, Buffer] => [
  0,
  u16(Buffer.concat([Buffer.from([type]), u16(Buffer.from(name))])),
];

describe('readClientHello', () => {
  it("reads Node's, with and without a name and protocols", async () => {
    expect(
      readClientHello(await nodeHello({ servername: 'app.test', ALPNProtocols: ['h2', 'http/1.1'] })),
    ).toEqual({
      serverName: 'app.test',
      protocols: ['h2', 'http/1.1'],
    });
    expect(readClientHello(await nodeHello({}))).toEqual(NOTHING);
  });

  it("reads openssl's, of TLS 1.3 and 1.2", async () => {
    const wanted = { serverName: 'app.test', protocols: ['http/1.1', 'h2'] };
    const args = ['-servername', 'app.test', '-alpn', 'http/1.1,h2'];
    expect(readClientHello(await opensslHello(...args))).toEqual(wanted);
    expect(readClientHello(await opensslHello(...args, '-tls1_2'))).toEqual(wanted);
    expect(readClientHello(await opensslHello('-noservername'))).toEqual(NOTHING);
  });

  it("reads Chromium's, with GREASE and extensions in random order", () => {
    expect(readClientHello(CHROMIUM_HELLO)).toEqual({
      serverName: 'app.test',
      protocols: ['h2', 'http/1.1'],
    });
  });

  it('asks for more of each of them up to the last octet, and needs no more', async () => {
    const hellos = [CHROMIUM_HELLO, await nodeHello({ servername: 'app.test' }), await opensslHello()];
    for (const hello of hellos) {
      for (let end = 0; end < hello.length; end++) {
        if (readClientHello(hello.subarray(0, end)) !== undefined) throw new Error(`an answer at ${end}`);
      }
      expect(readClientHello(hello)).toBeDefined();
      expect(readClientHello(Buffer.concat([hello, Buffer.from('next')]))).toEqual(readClientHello(hello));
    }
  });

  for (const size of [1, 3, 4, 5, 100]) {
    it(`reads one in records of ${size} octets, at every split point`, () => {
      const hello = inRecords(CHROMIUM_HELLO, size);
      for (let end = 0; end < hello.length; end += size < 5 ? 7 : 1) {
        if (readClientHello(hello.subarray(0, end)) !== undefined) throw new Error(`an answer at ${end}`);
      }
      expect(readClientHello(hello)).toEqual(readClientHello(CHROMIUM_HELLO));
    });
  }

  it('takes no protocol for another: GREASE, names within names, other types of names', () => {
    expect(readClientHello(helloWith([alpn('\x0a\x0a', 'h2c', 'h', ''), sni('x', 1)]))).toEqual({
      serverName: undefined,
      protocols: ['\x0a\x0a', 'h2c', 'h', ''],
    });
    // An extension whose body looks like ALPN.
    expect(readClientHello(helloWith([[0x0a0a, alpn('h2')[1]]]))).toEqual(NOTHING);
  });

  it('reads one without extensions as such', () => {
    expect(readClientHello(helloWith([]))).toEqual(NOTHING);
    expect(readClientHello(helloWith(undefined))).toEqual(NOTHING);
  });

  it('finds nothing in what is no hello, without waiting for more', () => {
    const cut = helloWith([alpn('h2'), sni('app.test')]);
    // The list of extensions says that it is longer than the message.
    cut.writeUInt16BE(0xffff, 5 + 4 + 34 + 33 + 6 + 2);
    const bad: Record<string, Buffer> = {
      'another message': Buffer.from('160301000402000000', 'hex'),
      'another message, of which half has come': Buffer.from('16030100ff020000fb', 'hex'),
      'another record': Buffer.from('1503010002', 'hex'),
      'no handshake record after the first': Buffer.from('1603010001011503010002', 'hex'),
      'a hello of 16 MiB': Buffer.from('160301000401ffffff', 'hex'),
      'lengths that are not there': cut,
      'an empty message': Buffer.from('160301000401000000', 'hex'),
      'a list of protocols that is cut': helloWith([[16, Buffer.from([0, 3, 2, 104])]]),
      'a protocol that is longer than its list': helloWith([[16, Buffer.from([0, 2, 9, 104])]]),
    };
    for (const [what, bytes] of Object.entries(bad))
      expect([what, readClientHello(bytes)]).toEqual([what, NOTHING]);
  });

  it('stops waiting for a hello that never gets whole', () => {
    const empty = Buffer.concat(Array.from({ length: 30_000 }, () => Buffer.from('1603010000', 'hex')));
    expect(readClientHello(empty.subarray(0, 5000))).toBeUndefined();
    expect(readClientHello(empty)).toEqual(NOTHING);
  });

  it('takes any octets without throwing', () => {
    const next = random(7);
    for (let i = 0; i < 5000; i++) {
      const bytes = Buffer.from(CHROMIUM_HELLO);
      for (let n = 0; n < 4; n++)
        bytes[5 + Math.floor(next() * (bytes.length - 5))] = Math.floor(next() * 256);
      const hello = readClientHello(bytes);
      if (hello !== undefined) expect(Array.isArray(hello.protocols)).toBe(true);
    }
  });
});
