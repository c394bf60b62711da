import { describe, expect, it } from '@jest/globals';
import { SideRecord } from '../flow/transfer.js';
import type { StreamTransform } from '../flow/types.js';
import { octets, sha256 } from '../testing/bytes.js';
import { ask, Http2Server, openHttp2 } from '../testing/http2.js';
import { withProxy } from '../testing/with-proxy.js';

const GET = 'GET http://{origin}/a HTTP/1.1\r\nHost: {origin}';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n';
const body = octets(10_000);
const beginning = (size: number) => ({ bytes: size, sha256: sha256(body.subarray(0, size)) });

const doubled: StreamTransform = async function* (pieces) {
  for await (const piece of pieces) {
    yield piece;
    yield piece;
  }
};

describe('what passed of a streamed body that was cut', () => {
  for (const [what, head, sends] of [
    ['a response', OK, body.subarray(0, 5000)],
    [
      'a chunked response',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n',
      body.subarray(0, 5000),
    ],
  ] as const) {
    it(`is digested on both sides: ${what}`, () =>
      withProxy({}, async ({ proxy, exchange, over }) => {
        proxy.stream('**');
        const { client, upstream } = await exchange(GET);
        await upstream.send(head, sends);
        upstream.end();
        await client.rest();
        const { response, error } = await over();
        expect(error?.code).toBe('ORIGIN_CLOSED');
        const { received, sent } = response?.transfer ?? {};
        expect(received?.sha256).toBeUndefined();
        expect(received?.partial).toEqual(beginning(5000));
        expect(sent?.sha256).toBeUndefined();
        expect(sent?.partial).toEqual(beginning(5000));
        const { _transfer } = proxy.har().log.entries[0]?.response ?? {};
        expect(_transfer?.sent.partial).toEqual(beginning(5000));
        expect(_transfer?.received.partial).toEqual(beginning(5000));
      }));
  }

  it('is digested on both sides: a request', () =>
    withProxy({}, async ({ proxy, exchange, over }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(
        'POST http://{origin}/a HTTP/1.1\r\nHost: {origin}\r\nContent-Length: 10000',
        body.subarray(0, 5000),
      );
      await upstream.read(5000);
      client.destroy();
      const { request } = await over();
      expect(request.transfer.received.partial).toEqual(beginning(5000));
      expect(request.transfer.sent.partial).toEqual(beginning(5000));
    }));

  it('is digested on both sides over HTTP/2', () =>
    withProxy({}, async (stage) => {
      const origin = await Http2Server.listen((stream) => {
        stream.respond({ ':status': 200, 'content-length': 10_000 });
        stream.write(body.subarray(0, 5000), () => stream.close(2));
      });
      try {
        stage.proxy.stream('**');
        await ask(await openHttp2(stage, origin.host), { ':path': '/a' });
        const { response } = await stage.over();
        expect(response?.transfer.received.partial).toEqual(beginning(5000));
        expect(response?.transfer.sent.partial).toEqual(beginning(5000));
      } finally {
        origin.close();
      }
    }));

  it('is of each side what went through it, with a transform', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      proxy.stream('**', { response: doubled });
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body.subarray(0, 5000));
      await client.head();
      await eventually(() => proxy.flows.last?.response?.transfer.sent.bytes === 10_000, 'it to be sent');
      upstream.reset();
      const { response } = await over();
      const twice = [0, 0, 4096, 4096].map((at) => body.subarray(at, Math.min(5000, at + 4096)));
      expect(response?.transfer.received.partial).toEqual(beginning(5000));
      expect(response?.transfer.sent.partial).toEqual({
        bytes: 10_000,
        sha256: sha256(Buffer.concat(twice)),
      });
    }));

  it('is not there where a side ended normally, and of the other one it is', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      proxy.stream('**');
      let go: () => void = () => undefined;
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      proxy.on('response', () => held);
      const { client, upstream } = await exchange(GET);
      await upstream.send(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n',
        body,
        '\r\n0\r\n\r\n',
      );
      await eventually(() => proxy.flows.last?.response?.transfer.sent.bytes === 10_000, 'it to be sent');
      client.reset();
      const { response } = await over();
      expect(response?.transfer.received.sha256).toBe(sha256(body));
      expect(response?.transfer.received.partial).toBeUndefined();
      expect(response?.transfer.sent.sha256).toBeUndefined();
      expect(response?.transfer.sent.partial).toEqual(beginning(10_000));
      go();
    }));

  it('is not there as long as not all that was digested has been sent', () => {
    const side = new SideRecord();
    side.bytes = 4096;
    side.cut(beginning(5000));
    expect(side.partial).toBeUndefined();
    side.bytes = 5000;
    expect(side.partial).toEqual(beginning(5000));
  });

  it('is not there of a body that is under way, is complete, was recorded, or that nobody wants digested', () =>
    withProxy({}, async ({ proxy, exchange, over, eventually }) => {
      proxy.stream('**');
      const { client, upstream } = await exchange(GET);
      await upstream.send(OK, body.subarray(0, 5000));
      await client.head();
      await client.read(5000);
      const { transfer } = proxy.flows.last?.response ?? {};
      await eventually(() => transfer?.sent.bytes === 5000, 'it to be sent');
      expect(transfer?.sent.partial).toBeUndefined();
      await upstream.send(body.subarray(5000));
      await over();
      expect(transfer?.sent.sha256).toBe(sha256(body));
      expect(transfer?.sent.partial).toBeUndefined();
      expect(transfer?.received.partial).toBeUndefined();
    }));

  for (const [how, options, stream] of [
    ['without digests', { digest: false } as const, true],
    ['that is recorded', {}, false],
  ] as const) {
    it(`is not there of one ${how}`, () =>
      withProxy(options, async ({ proxy, exchange, over }) => {
        proxy.stream('**', stream);
        const { client, upstream } = await exchange(GET);
        await upstream.send(OK, body.subarray(0, 5000));
        upstream.end();
        await client.rest();
        const { transfer } = (await over()).response ?? {};
        expect(transfer?.received.bytes).toBe(5000);
        expect(transfer?.received.partial).toBeUndefined();
        expect(transfer?.sent.partial).toBeUndefined();
      }));
  }
});
