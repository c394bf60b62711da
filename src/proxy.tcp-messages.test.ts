import { describe, expect, it } from '@jest/globals';
import { openTls, openTunnel } from './listen/testing/tunnels.js';
import { octets } from './testing/bytes.js';
import { openPlain, PLAIN, said, withTlsOrigin } from './testing/tcp.js';
import { sendMany, standsStill } from './testing/websocket.js';
import { problemOf, withProxy } from './testing/with-proxy.js';

const MiB = 1024 * 1024;

describe('what passes in a TCP flow', () => {
  for (const hooked of [false, true]) {
    const how = hooked ? ', with a hook' : '';
    it(`arrives as it was sent, both ways at once${how}`, () =>
      withTlsOrigin({}, {}, async (stage, origin) => {
        if (hooked) stage.proxy.on('tcpMessage', () => undefined);
        const peer = await openTls(stage, 'db.test');
        const upstream = await origin.accept();
        const [up, down] = [octets(3 * MiB), octets(5 * MiB)];
        await Promise.all([peer.send(up), upstream.send(down)]);
        expect((await upstream.read(up.length)).equals(up)).toBe(true);
        expect((await peer.read(down.length)).equals(down)).toBe(true);
        const [flow] = [...stage.proxy.tcpFlows];
        for (const [from, sent] of [['client', up] as const, ['server', down] as const]) {
          const parts = (flow?.messages ?? []).filter((message) => message.from === from);
          expect(Buffer.concat(parts.map(({ data }) => data)).equals(sent)).toBe(true);
        }
      }));

    for (const from of ['client', 'server'] as const) {
      it(`waits for who does not read, from the ${from}${how}`, () =>
        withProxy({ ...PLAIN, maxStoredMessageSize: 0 }, async (stage) => {
          if (hooked) stage.proxy.on('tcpMessage', () => Promise.resolve());
          const { peer, upstream, flow } = await openPlain(stage);
          const [sender, receiver] = from === 'client' ? [peer, upstream] : [upstream, peer];
          const before = flow.received[from];
          const part = octets(MiB);
          receiver.pause();
          const sending = sendMany(sender, part, 48);
          await standsStill(
            stage,
            () => sending.sent,
            () => receiver.total,
          );
          expect(sending.sent).toBeLessThan(32);
          await receiver.send('meanwhile');
          expect((await sender.read(9)).toString()).toBe('meanwhile');
          receiver.resume();
          for (let i = 0; i < 48; i++) expect((await receiver.read(MiB)).equals(part)).toBe(true);
          await sending.done;
          expect(flow.received[from]).toBe(before + 48 * MiB);
        }));
    }
  }

  for (const hooked of [false, true]) {
    it(`is recorded as it was, though buffers are used again${hooked ? ', with a hook' : ''}`, () =>
      withProxy(PLAIN, async (stage) => {
        if (hooked) stage.proxy.on('tcpMessage', () => undefined);
        const { peer, upstream, flow } = await openPlain(stage);
        for (const text of ['first', 'other', 'third']) {
          await upstream.send(text);
          await peer.read(5);
        }
        expect(said(flow.messages).slice(1)).toEqual(['server: first', 'server: other', 'server: third']);
      }));
  }

  it('is recorded up to maxStoredMessageSize', () =>
    withProxy({ ...PLAIN, maxStoredMessageSize: 4 }, async (stage) => {
      const { peer, upstream, flow } = await openPlain(stage);
      await upstream.send('a greeting');
      expect((await peer.read(10)).toString()).toBe('a greeting');
      expect(flow.messages[0]).toMatchObject({ size: 1, truncated: false });
      expect(flow.messages[1]).toMatchObject({ size: 10, truncated: true });
      expect(flow.messages[1]?.data).toEqual(Buffer.from('a gr'));
      expect(flow).toMatchObject({ received: { client: 1, server: 10 }, truncated: false });
      stage.proxy.on('tcpMessage', (_flow, message) => {
        message.data = `${message.text()}!`;
      });
      await peer.send('an answer');
      expect((await upstream.read(10)).toString()).toBe('an answer!');
      expect(flow.messages[2]).toMatchObject({
        size: 10,
        truncated: true,
        edited: true,
        data: Buffer.from('an a'),
      });
    }));

  it('is dropped when the proxy closes, and the flow says so', () =>
    withProxy(PLAIN, async (stage) => {
      const hooks: string[] = [];
      stage.proxy.on('tcpEnd', ({ error }) => void hooks.push(`${error?.code}`));
      const { flow } = await openPlain(stage);
      await stage.proxy.close();
      expect([flow.error?.code, hooks]).toEqual(['PROXY_CLOSED', ['PROXY_CLOSED']]);
    }));
});

describe('hooks of TCP flows', () => {
  it('may hold messages, and edit or drop them, in order', () =>
    withProxy(PLAIN, async (stage) => {
      const { peer, upstream, flow } = await openPlain(stage);
      const let2: (() => void)[] = [];
      const seen: string[] = [];
      stage.proxy.on('tcpMessage', async (shown, message) => {
        seen.push(`${shown.messages.at(-1) === message} ${message.text()}`);
        if (message.text() === 'slow') await new Promise<void>((resolve) => let2.push(resolve));
        if (message.text() === 'drop') message.data = '';
        else message.data = message.text().toUpperCase();
      });
      await peer.send('slow');
      await stage.eventually(() => let2.length === 1, 'the hook');
      await peer.send('drop');
      // The other direction does not wait.
      await upstream.send('answer');
      expect((await peer.read(6)).toString()).toBe('ANSWER');
      let2[0]?.();
      expect((await upstream.read(4)).toString()).toBe('SLOW');
      await stage.eventually(() => seen.length === 3, 'the next message');
      peer.end();
      expect(await upstream.rest()).toHaveLength(0);
      expect(seen).toEqual(['true slow', 'true answer', 'true drop']);
      expect(said(flow.messages).slice(1)).toEqual(['client: SLOW', 'server: ANSWER', 'client: ']);
      expect(flow.messages.map(({ edited }) => edited)).toEqual([false, true, true, true]);
      expect(flow.received).toEqual({ client: 9, server: 6 });
    }));

  for (const from of ['client', 'server'] as const) {
    it(`make the ${from} wait while they hold what it said`, () =>
      withProxy({ ...PLAIN, maxStoredMessageSize: 0 }, async (stage) => {
        const { peer, upstream } = await openPlain(stage);
        const [sender, receiver] = from === 'client' ? [peer, upstream] : [upstream, peer];
        let go: () => void = () => undefined;
        const held = new Promise<void>((resolve) => {
          go = resolve;
        });
        stage.proxy.on('tcpMessage', () => held);
        const part = octets(MiB);
        const sending = sendMany(sender, part, 48);
        await standsStill(stage, () => sending.sent);
        expect(sending.sent).toBeLessThan(24);
        go();
        for (let i = 0; i < 48; i++) expect((await receiver.read(MiB)).equals(part)).toBe(true);
        await sending.done;
      }));
  }

  it('hold what follows, ends included, until tcpStart is done', () =>
    withProxy(PLAIN, async (stage) => {
      let go: () => void = () => undefined;
      const hooks: string[] = [];
      stage.proxy.on('tcpStart', (flow) => {
        flow.metadata.set('mine', 1);
        return new Promise<void>((resolve) => {
          go = () => {
            hooks.push('tcpStart');
            resolve();
          };
        });
      });
      stage.proxy.on('tcpMessage', (_flow, message) => void hooks.push(message.text()));
      const peer = await openTunnel(stage, stage.origin.host, 'early');
      peer.end();
      const upstream = await stage.origin.accept();
      await stage.eventually(() => stage.proxy.tcpFlows.length === 1, 'tcpStart');
      await upstream.send('too');
      upstream.end();
      await standsStill(
        stage,
        () => upstream.total,
        () => peer.total,
      );
      expect(hooks).toEqual([]);
      go();
      expect((await upstream.rest()).toString()).toBe('early');
      expect((await peer.rest()).toString().endsWith('too')).toBe(true);
      expect(hooks.slice(0, 2)).toEqual(['tcpStart', 'early']);
      expect(stage.proxy.tcpFlows.last?.metadata.get('mine')).toBe(1);
    }));

  it('run in order where the connection is lost while tcpStart runs', () =>
    withProxy(PLAIN, async (stage) => {
      let go: () => void = () => undefined;
      const hooks: string[] = [];
      stage.proxy.on('tcpStart', async () => {
        await new Promise<void>((resolve) => {
          go = resolve;
        });
        hooks.push('tcpStart');
      });
      stage.proxy.on('tcpMessage', () => void hooks.push('tcpMessage'));
      stage.proxy.on('tcpEnd', ({ error }) => void hooks.push(`tcpEnd ${error?.code}`));
      const peer = await openTunnel(stage, stage.origin.host, '\x00');
      await stage.origin.accept();
      await stage.eventually(() => stage.proxy.tcpFlows.length === 1, 'tcpStart');
      stage.proxy.tcpFlows.last?.kill();
      await peer.ending;
      expect(hooks).toEqual([]);
      go();
      await stage.eventually(() => hooks.length === 2, 'tcpEnd');
      expect(hooks).toEqual(['tcpStart', 'tcpEnd KILLED']);
    }));

  it('may kill a flow, which has no effect later', () =>
    withProxy(PLAIN, async (stage) => {
      const { peer, upstream, flow } = await openPlain(stage);
      const ends: unknown[] = [];
      stage.proxy.on('tcpMessage', (shown) => shown.kill());
      stage.proxy.on('tcpEnd', (shown) => void ends.push(shown.error?.code));
      await peer.send('secret');
      expect(await peer.ending).toBe('rst');
      expect(await upstream.ending).toBe('rst');
      expect(upstream.unread).toHaveLength(0);
      flow.kill();
      expect(flow.error).toEqual({ code: 'KILLED', message: 'flow.kill() was called' });
      expect(ends).toEqual(['KILLED']);
    }));

  for (const hook of ['tcpStart', 'tcpMessage', 'tcpEnd'] as const) {
    for (const late of [false, true]) {
      it(`${hook} that ${late ? 'rejects' : 'throws'} ends the flow, and verify() throws what it threw`, () =>
        withProxy(PLAIN, async (stage) => {
          const thrown = new Error('mine');
          let ended = 0;
          stage.proxy.on('tcpEnd', () => void ended++);
          stage.proxy.on(hook, () => {
            if (late) return Promise.reject(thrown);
            throw thrown;
          });
          const peer = await openTunnel(stage, stage.origin.host, '\x00');
          const upstream = await stage.origin.accept();
          if (hook === 'tcpEnd') {
            peer.end();
            await upstream.ending;
            upstream.end();
          }
          expect(await peer.ending).toBe(hook === 'tcpEnd' ? 'fin' : 'rst');
          await stage.eventually(() => ended === 1, 'tcpEnd');
          await stage.eventually(() => stage.proxy.tcpFlows.last?.error !== undefined, 'the error');
          const message = `the ${hook} hook threw: mine`;
          expect(stage.proxy.tcpFlows.last?.error).toEqual({ code: 'HOOK_FAILED', message, cause: thrown });
          expect(await problemOf(stage.proxy)).toBe(thrown);
          expect(ended).toBe(1);
        }));
    }
  }

  it('warn of data that is assigned too late, and refuse what is none', () =>
    withProxy(PLAIN, async (stage) => {
      const { flow } = await openPlain(stage);
      const [message] = flow.messages;
      if (message === undefined) throw new Error('no message');
      message.data = 'late';
      expect(message.text()).toBe('\x00');
      expect(flow.warnings).toEqual([
        'tcp message: data was assigned after it had been sent, and has no effect',
      ]);
      expect(() => {
        message.data = 1 as never;
      }).toThrow(/^1 is no data/);
    }));

  it('are known to addons', () =>
    withProxy(PLAIN, async (stage) => {
      const seen: string[] = [];
      stage.proxy.use({
        tcpStart: () => void seen.push('start'),
        tcpMessage: () => void seen.push('message'),
      });
      await openPlain(stage);
      expect(seen).toEqual(['start', 'message']);
      expect(() => stage.proxy.on('tcpMesage' as 'tcpMessage', () => undefined)).toThrow('tcpMessage?');
    }));
});
