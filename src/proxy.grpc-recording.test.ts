import { once } from 'node:events';
import { createServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import type { HttpFlow } from './flow/types.js';
import { sha256 } from './testing/bytes.js';
import {
  called,
  drained,
  framed,
  gate,
  NAME,
  serveTalk,
  statusOf,
  type Talk,
  TalkClient,
  withTalk,
} from './testing/grpc.js';
import { testProxy } from './testing/test-proxy.js';

const echo: Talk['ask'] = ({ request }, done) => done(null, request);
const BUFFERED = { secure: true, streamContentTypes: [] };

describe('gRPC that is recorded', () => {
  it('has its bodies and trailers in the flow', async () => {
    const talk: Talk = {
      ask(call, done) {
        const trailing = new grpc.Metadata();
        trailing.set('took', '3');
        done(null, Buffer.from(`re: ${call.request}`), trailing);
      },
    };
    await withTalk(BUFFERED, talk, async ({ proxy, client }) => {
      const { message, status } = await client.ask('hello');
      expect(message?.toString()).toBe('re: hello');
      expect(status.metadata.get('took')).toEqual(['3']);
      const { request, response } = await proxy.waitForFlow(called('Ask'));
      expect([request.bodyStatus, response.bodyStatus]).toEqual(['recorded', 'recorded']);
      expect(request.body).toEqual(framed('hello'));
      expect(response.body).toEqual(framed('re: hello'));
      expect([...(response.trailers ?? [])]).toEqual([
        ['grpc-status', '0'],
        ['grpc-message', 'OK'],
        ['took', '3'],
      ]);
      expect(request.transfer.sent.sha256).toBe(sha256(framed('hello')));
    });
  });

  it('is what the hooks made of it', async () => {
    const heard: string[] = [];
    const talk: Talk = {
      ask(call, done) {
        heard.push(call.request.toString(), String(call.metadata.get('added')));
        done(null, Buffer.from('answer'));
      },
    };
    await withTalk(BUFFERED, talk, async ({ proxy, client }) => {
      proxy.on('request', ({ request }) => {
        request.headers.set('added', 'by a hook');
        request.body = framed(`${request.body.subarray(5)}, and more`);
      });
      proxy.on('response', ({ response }) => {
        response.body = framed(response.body.toString('latin1', 5).toUpperCase());
        response.trailers?.set('grpc-message', 'all is well');
        response.trailers?.append('extra-bin', Buffer.from([7, 8]).toString('base64'));
      });
      const { message, status } = await client.ask('hello');
      expect(heard).toEqual(['hello, and more', 'by a hook']);
      expect(message?.toString()).toBe('ANSWER');
      expect(status).toMatchObject({ code: grpc.status.OK, details: 'all is well' });
      expect(status.metadata.get('extra-bin')).toEqual([Buffer.from([7, 8])]);
      const flow = await proxy.waitForFlow(called('Ask'));
      expect(flow.request.body).toEqual(framed('hello, and more'));
      expect(flow.warnings).toEqual([]);
    });
  });

  it('has client and server streams whole', async () => {
    const talk: Talk = {
      collect(call, done) {
        const all: Buffer[] = [];
        call.on('data', (message: Buffer) => all.push(message));
        call.on('end', () => done(null, Buffer.concat(all)));
      },
      list(call) {
        for (const letter of 'abc') call.write(Buffer.from(letter));
        call.end();
      },
    };
    await withTalk(BUFFERED, talk, async ({ proxy, client }) => {
      expect((await client.collect(['x', 'y'])).message?.toString()).toBe('xy');
      expect((await drained(client.list('?'))).messages).toEqual(['a', 'b', 'c']);
      const collect = await proxy.waitForFlow(called('Collect'));
      expect(collect.request.body).toEqual(Buffer.concat([framed('x'), framed('y')]));
      const list = await proxy.waitForFlow(called('List'));
      expect(list.response.body).toEqual(Buffer.concat(['a', 'b', 'c'].map(framed)));
      expect([collect, list].map(statusOf)).toEqual(['0', '0']);
    });
  });

  it('can be answered in the server’s place, with an error in the head alone', async () => {
    await withTalk({ secure: true }, { ask: echo }, async ({ proxy, client }) => {
      proxy.respond(called('Ask'), {
        contentType: 'application/grpc',
        headers: { 'grpc-status': '8', 'grpc-message': 'too%20much' },
      });
      const { error } = await client.ask('hello');
      expect(error).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'too much' });
    });
  });
});

describe('gRPC that is streamed', () => {
  it('has trailers that a hook can still change', async () => {
    await withTalk({ secure: true }, { ask: echo }, async ({ proxy, client }) => {
      proxy.on('response', ({ response }) => {
        response.trailers = { 'grpc-status': '10', 'grpc-message': 'changed on the way' };
      });
      const { error } = await client.ask('hello');
      expect(error).toMatchObject({ code: grpc.status.ABORTED, details: 'changed on the way' });
      const flow = await proxy.waitForFlow(called('Ask'));
      expect(statusOf(flow)).toBe('10');
      expect(flow.response.bodyStatus).toBe('streamed');
      expect(flow.warnings).toEqual([]);
    });
  });

  it('goes through a transform', async () => {
    await withTalk({ secure: true }, { ask: echo }, async ({ proxy, client }) => {
      proxy.stream(called('Ask'), {
        response: async function* (pieces) {
          for await (const piece of pieces) yield piece.toString('latin1').replace('hello', 'HELLO');
        },
      });
      expect((await client.ask('hello')).message?.toString()).toBe('HELLO');
    });
  });

  it('keeps messages that are compressed', async () => {
    const text = 'again and '.repeat(1000);
    await withTalk({ secure: true }, { ask: echo }, async ({ proxy, client }) => {
      const gzip = TalkClient.through(proxy, true, {
        'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
      });
      try {
        expect((await gzip.ask(text)).message?.toString()).toBe(text);
      } finally {
        gzip.close();
      }
      const { request } = await proxy.waitForFlow(called('Ask'));
      expect(request.headers.get('grpc-encoding')).toBe('gzip');
      expect(request.transfer.sent.bytes).toBeLessThan(500);
      expect((await client.ask(text)).message?.toString()).toBe(text);
    });
  });

  it('comes without CONNECT too: HTTP/2 from the first octet, for the authority it names', async () => {
    await withTalk({ secure: false }, { ask: echo }, async ({ proxy }) => {
      const direct = new TalkClient(`127.0.0.1:${proxy.port}`, grpc.credentials.createInsecure(), {
        'grpc.default_authority': NAME,
      });
      try {
        expect((await direct.ask('hello')).message?.toString()).toBe('hello');
      } finally {
        direct.close();
      }
      const flow = await proxy.waitForFlow(called('Ask'));
      expect(flow.request.url).toBe(`http://${NAME}/sluice.test.Talk/Ask`);
      expect(flow.client.tunnel).toBe(undefined);
    });
  });
});

describe('gRPC that fails', () => {
  it('is unavailable where its server can’t be reached, and there again when it can', async () => {
    const idle = createServer().listen(0, '127.0.0.1');
    await once(idle, 'listening');
    const { port } = idle.address() as { port: number };
    idle.close();
    await once(idle, 'close');
    const proxy = await testProxy({ hosts: { [NAME]: `127.0.0.1:${port}` } });
    const client = TalkClient.through(proxy, false);
    try {
      const { error } = await client.ask('hello');
      expect(error).toMatchObject({ code: grpc.status.UNAVAILABLE, details: expect.stringContaining('502') });
      expect((await proxy.waitForError(called('Ask'))).error.code).toBe('ORIGIN_UNREACHABLE');
      const { server } = await serveTalk({ ask: echo }, false, port);
      try {
        expect((await client.ask('hello')).message?.toString()).toBe('hello');
      } finally {
        server.forceShutdown();
      }
    } finally {
      client.close();
      await proxy.close();
    }
  });

  it('ends when its server dies in the middle, with what came before', async () => {
    const talk: Talk = { list: (call) => void call.write(Buffer.from('first')) };
    await withTalk({ secure: true }, talk, async ({ proxy, client, server }) => {
      const call = client.list('go');
      call.once('data', () => server.forceShutdown());
      const { messages, status } = await drained(call);
      expect(messages).toEqual(['first']);
      expect(status.code).not.toBe(grpc.status.OK);
      const flow = await proxy.waitForError(called('List'));
      expect(flow.error.code).toBe('ORIGIN_CLOSED');
      expect(flow.response?.complete).toBe(false);
      expect(flow.response?.transfer.sent.bytes).toBe(10);
    });
  });

  it('is cut by the proxy’s end', async () => {
    const held = gate();
    const talk: Talk = { chat: (call) => void call.once('data', held.open) };
    await withTalk({ secure: true }, talk, async ({ proxy, client }) => {
      const call = client.chat();
      const ended = drained(call);
      call.write(Buffer.from('hello'));
      await held.opened;
      const flows: HttpFlow[] = [...proxy.flows];
      await proxy.close();
      expect((await ended).status.code).not.toBe(grpc.status.OK);
      expect(flows.map(({ error }) => error?.code)).toEqual(['PROXY_CLOSED']);
    });
  });
});
