import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { octets, sha256 } from './testing/bytes.js';
import {
  called,
  drained,
  framed,
  gate,
  NAME,
  serveTalk,
  statusOf,
  type Talk,
  withTalk,
} from './testing/grpc.js';

const echo: Talk['ask'] = ({ request }, done) => done(null, request);

for (const secure of [true, false]) {
  describe(`gRPC ${secure ? 'over TLS' : 'without TLS'}, through the proxy`, () => {
    it('calls and is answered, with metadata of both kinds in both directions', async () => {
      const talk: Talk = {
        ask(call, done) {
          const trailing = new grpc.Metadata();
          for (const value of call.metadata.get('asked-bin')) trailing.add('again-bin', value);
          const initial = new grpc.Metadata();
          for (const value of call.metadata.get('asked')) initial.add('heard', value);
          call.sendMetadata(initial);
          done(null, call.request, trailing);
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const metadata = new grpc.Metadata();
        const binary = [Buffer.from([0, 255, 10, 13, 44]), Buffer.alloc(0), octets(300)];
        for (const value of binary) metadata.add('asked-bin', value);
        metadata.add('asked', 'one');
        metadata.add('asked', 'two, and more');
        const answer = await client.ask('hello', metadata);
        expect(answer.error).toBe(undefined);
        expect(answer.message?.toString()).toBe('hello');
        expect(answer.status).toMatchObject({ code: grpc.status.OK, details: 'OK' });
        expect(answer.metadata.get('heard')).toEqual(['one, two, and more']);
        expect(answer.status.metadata.get('again-bin')).toEqual(binary);

        const flow = await proxy.waitForFlow(called('Ask'));
        const { request, response } = flow;
        expect(request.url).toBe(`${secure ? 'https' : 'http'}://${NAME}/sluice.test.Talk/Ask`);
        expect([request.httpVersion, response.httpVersion]).toEqual(['2.0', '2.0']);
        expect([request.bodyStatus, response.bodyStatus]).toEqual(['streamed', 'streamed']);
        expect([request.complete, response.complete]).toEqual([true, true]);
        expect([request.body.length, response.body.length]).toEqual([0, 0]);
        for (const side of [request.transfer.sent, response.transfer.received, response.transfer.sent]) {
          expect(side).toMatchObject({ bytes: 10, sha256: sha256(framed('hello')) });
          expect(side.pieces.runs).toEqual([[10, 1]]);
        }
        expect(request.headers.get('te')).toBe('trailers');
        expect(request.headers.get('asked')).toBe('one, two, and more');
        expect(response.headers.get('heard')).toBe('one, two, and more');
        expect(response.headers.has('grpc-status')).toBe(false);
        expect(statusOf(flow)).toBe('0');
        expect(response.trailers?.get('again-bin')?.startsWith('AP8KDSw')).toBe(true);
        expect(flow.warnings).toEqual([]);
      });
    });

    it('streams from the client', async () => {
      const talk: Talk = {
        collect(call, done) {
          const heard: string[] = [];
          call.on('data', (message: Buffer) => heard.push(message.toString()));
          call.on('end', () => done(null, Buffer.from(heard.join('+'))));
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const { message } = await client.collect(['a', 'bc', '', 'def']);
        expect(message?.toString()).toBe('a+bc++def');
        const flow = await proxy.waitForFlow(called('Collect'));
        expect(statusOf(flow)).toBe('0');
        expect(flow.request.transfer.sent).toMatchObject({
          bytes: 26,
          sha256: sha256(Buffer.concat(['a', 'bc', '', 'def'].map(framed))),
        });
      });
    });

    it('streams from the server, each message before the next is made', async () => {
      const seen = gate();
      const talk: Talk = {
        list(call) {
          call.write(Buffer.from('first'));
          seen.opened.then(() => {
            call.write(Buffer.from('second'));
            call.end();
          });
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const call = client.list('go');
        call.once('data', seen.open);
        expect(await drained(call)).toMatchObject({
          messages: ['first', 'second'],
          status: { code: grpc.status.OK },
        });
        const flow = await proxy.waitForFlow(called('List'));
        expect(statusOf(flow)).toBe('0');
        expect(flow.response.transfer.sent.bytes).toBe(21);
      });
    });

    it('chats: ten messages, each an answer to the one before', async () => {
      const talk: Talk = {
        chat(call) {
          call.on('data', (message: Buffer) => call.write(Buffer.from(`${message}?`)));
          call.on('end', () => call.end());
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const call = client.chat();
        const ended = drained(call);
        let turns = 0;
        call.on('data', (message: Buffer) => {
          turns++;
          if (turns < 10) call.write(Buffer.from(`${message}!`));
          else call.end();
        });
        call.write(Buffer.from('so'));
        const { messages, status } = await ended;
        expect(status.code).toBe(grpc.status.OK);
        expect(messages).toEqual(Array.from({ length: 10 }, (_, i) => `so${'?!'.repeat(i)}?`));
        const flow = await proxy.waitForFlow(called('Chat'));
        expect(statusOf(flow)).toBe('0');
        expect(flow.request.transfer.sent.bytes).toBe(
          messages.reduce((sum, message) => sum + message.length - 1 + 5, 0),
        );
        expect(flow.response.bodyStatus).toBe('streamed');
      });
    });

    it('lets a server end a chat before its client does', async () => {
      const talk: Talk = {
        chat(call) {
          call.once('data', (message: Buffer) => {
            call.write(message);
            call.end();
          });
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const call = client.chat();
        call.write(Buffer.from('enough'));
        expect(await drained(call)).toMatchObject({
          messages: ['enough'],
          status: { code: grpc.status.OK, details: 'OK' },
        });
        const { response } = await proxy.waitForResponse(called('Chat'));
        await proxy.idle({ quiet: 1 });
        expect(response.complete).toBe(true);
        expect(response.trailers?.get('grpc-status')).toBe('0');
        // The connection is as good as before.
        expect((await client.ask('x')).error?.code).toBe(grpc.status.UNIMPLEMENTED);
      });
    });

    it('tells errors, in trailers and in the head alone', async () => {
      const details = 'no such thing: ö, 100%\nreally';
      const metadata = new grpc.Metadata();
      metadata.set('reason', 'lost');
      metadata.set('reason-bin', Buffer.from([1, 2, 3]));
      const failure = { code: grpc.status.NOT_FOUND, details, metadata };
      const talk: Talk = {
        ask: (_call, done) => done(failure),
        list(call) {
          call.write(Buffer.from('one'));
          call.emit('error', failure);
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const { error, message } = await client.ask('?');
        expect(message).toBe(undefined);
        expect(error).toMatchObject({ code: grpc.status.NOT_FOUND, details });
        expect(error?.metadata.get('reason')).toEqual(['lost']);
        expect(error?.metadata.get('reason-bin')).toEqual([Buffer.from([1, 2, 3])]);
        const only = await proxy.waitForFlow(called('Ask'));
        expect(only.response.status).toBe(200);
        expect(only.response.headers.get('grpc-status')).toBe('5');
        expect(only.response.headers.get('grpc-message')).toBe(encodeURI(details));
        expect(only.response.trailers).toBe(undefined);
        expect(only.response.transfer.received.bytes).toBe(0);
        expect(only.error).toBe(undefined);

        const { messages, status } = await drained(client.list('?'));
        expect(messages).toEqual(['one']);
        expect(status).toMatchObject({ code: grpc.status.NOT_FOUND, details });
        expect(status.metadata.get('reason-bin')).toEqual([Buffer.from([1, 2, 3])]);
        const after = await proxy.waitForFlow(called('List'));
        expect(after.response.headers.has('grpc-status')).toBe(false);
        expect(statusOf(after)).toBe('5');
        expect(after.response.trailers?.get('reason')).toBe('lost');
      });
    });

    it('tells the server of a call that is cancelled, and leaves its neighbour alone', async () => {
      const cancelled = gate();
      const talk: Talk = {
        list(call) {
          call.on('cancelled', cancelled.open);
          call.write(Buffer.from('first'));
        },
        chat: (call) => void call.on('data', (message) => call.write(message)).on('end', () => call.end()),
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const neighbour = client.chat();
        const ended = drained(neighbour);
        const call = client.list('go');
        call.once('data', () => call.cancel());
        expect((await drained(call)).status.code).toBe(grpc.status.CANCELLED);
        await cancelled.opened;
        const flow = await proxy.waitForError(called('List'));
        expect(flow.error).toMatchObject({
          code: 'CLIENT_ABORTED',
          message: expect.stringContaining('CANCEL (8)'),
        });
        expect(flow.response?.transfer.sent.bytes).toBe(10);
        neighbour.write(Buffer.from('still here'));
        neighbour.end();
        expect(await ended).toMatchObject({ messages: ['still here'], status: { code: grpc.status.OK } });
      });
    });

    it('ends a call at its deadline, at both ends', async () => {
      const cancelled = gate();
      const talk: Talk = {
        ask: (call, done) => {
          if (call.request.length === 0) done(null, call.request);
          else call.on('cancelled', cancelled.open);
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        // The connection is made already when time begins to run.
        await client.ask('');
        const { error } = await client.ask('never', new grpc.Metadata(), { deadline: Date.now() + 1000 });
        expect(error?.code).toBe(grpc.status.DEADLINE_EXCEEDED);
        await cancelled.opened;
        const [, flow] = [...proxy.flows];
        expect(flow?.request.headers.get('grpc-timeout')).toMatch(/^\d+m$/);
        await proxy.idle({ quiet: 1 });
        // Either end may be the first to find that time is up.
        expect(flow?.error?.code ?? flow?.response?.headers.get('grpc-status')).toMatch(
          /^(CLIENT_ABORTED|4)$/,
        );
      });
    });

    it('carries messages of 4 MiB', async () => {
      const large = octets(4 * 1024 * 1024);
      await withTalk({ secure }, { ask: echo }, async ({ proxy, client }) => {
        const { message } = await client.ask(large);
        expect(sha256(message ?? '')).toBe(sha256(large));
        const { request, response } = await proxy.waitForFlow(called('Ask'));
        for (const { transfer } of [request, response]) {
          for (const side of [transfer.received, transfer.sent]) {
            expect(side.sha256).toBe(sha256(framed(large)));
            expect(side.pieces.runs).toEqual([
              [4096, 1024],
              [5, 1],
            ]);
          }
        }
      });
    });

    it('carries a hundred calls at once, on one connection', async () => {
      const all = gate();
      let asked = 0;
      const talk: Talk = {
        // None is answered before all are there.
        ask({ request }, done) {
          if (++asked === 100) all.open();
          all.opened.then(() => done(null, request));
        },
      };
      await withTalk({ secure }, talk, async ({ proxy, client }) => {
        const calls = Array.from({ length: 100 }, (_, i) => client.ask(`call ${i}`));
        const answers = await Promise.all(calls);
        expect(answers.map(({ message }) => message?.toString())).toEqual(answers.map((_, i) => `call ${i}`));
        await proxy.idle({ quiet: 1 });
        const flows = [...proxy.flows];
        expect(flows.map(statusOf)).toEqual(answers.map(() => '0'));
        expect(new Set(flows.map(({ client: { id } }) => id)).size).toBe(1);
        expect(flows.filter(({ server }) => server?.reused === false)).toHaveLength(1);
      });
    });

    it('lets calls end when the server wants to go, and goes to the next server', async () => {
      const talk: Talk = {
        ask: echo,
        chat: (call) => void call.on('data', (message) => call.write(message)).on('end', () => call.end()),
      };
      await withTalk({ secure }, talk, async ({ client, server, port }) => {
        const call = client.chat();
        const ended = drained(call);
        const heard = new Promise((resolve) => call.once('data', resolve));
        call.write(Buffer.from('before'));
        await heard;
        const gone = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
        call.write(Buffer.from('after'));
        call.end();
        expect(await ended).toMatchObject({
          messages: ['before', 'after'],
          status: { code: grpc.status.OK },
        });
        await gone;
        expect((await client.ask('anybody?')).error?.code).toBe(grpc.status.UNAVAILABLE);

        const next = await serveTalk(talk, secure, port);
        try {
          expect((await client.ask('anybody?')).message?.toString()).toBe('anybody?');
        } finally {
          next.server.forceShutdown();
        }
      });
    });
  });
}
