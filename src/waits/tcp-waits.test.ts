import { describe, expect, it } from '@jest/globals';
import type { TcpFlow } from '../index.js';
import { openTls, openTunnel } from '../listen/testing/tunnels.js';
import { openPlain, PLAIN, withTlsOrigin } from '../testing/tcp.js';
import { withProxy } from '../testing/with-proxy.js';

/** What a wait was rejected with. */
async function rejectionOf(wait: Promise<TcpFlow>): Promise<Error & { code?: string; flow?: TcpFlow }> {
  try {
    await wait;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('the wait was not rejected with an error');
}

describe('waitForTcpFlow', () => {
  it('sees past flows, and those to come once they are connected', () =>
    withProxy(PLAIN, async (stage) => {
      const { proxy } = stage;
      const coming = proxy.waitForTcpFlow('127.0.0.1');
      const { flow } = await openPlain(stage);
      expect(await coming).toBe(flow);
      expect(flow.server).toBeDefined();
      for (const match of ['127.0.0.1', '*.0.0.1', stage.origin.host, '127.0.0.1:*', /^127\..*:\d+$/]) {
        expect(await proxy.waitForTcpFlow(match)).toBe(flow);
      }
      const next = proxy.waitForTcpFlow(stage.origin.host, { after: flow });
      const second = await openPlain(stage);
      expect(await next).toBe(second.flow);
    }));

  it('knows the name in a TLS hello as well as what the tunnel was opened to', () =>
    withTlsOrigin({}, {}, async (stage) => {
      await openTls(stage, 'db.test');
      for (const match of ['db.test', 'DB.test:443', '*.test', /^db/]) {
        expect((await stage.proxy.waitForTcpFlow(match)).client.sni).toBe('db.test');
      }
    }));

  it('asks a function again as the flow goes on', () =>
    withProxy(PLAIN, async (stage) => {
      const { proxy } = stage;
      const said = proxy.waitForTcpFlow(({ messages }) =>
        messages.some((message) => /row/.test(message.text())),
      );
      const much = proxy.waitForTcpFlow(async ({ received }) => received.server > 5);
      const over = proxy.waitForTcpFlow(({ endedAt }) => endedAt !== undefined);
      const reached: string[] = [];
      said.then(() => reached.push('said'));
      over.then(() => reached.push('over'));
      const { peer, upstream, flow } = await openPlain(stage);
      await upstream.send('one row');
      expect([await said, await much]).toEqual([flow, flow]);
      expect(reached).toEqual(['said']);
      peer.end();
      await upstream.ending;
      upstream.end();
      expect(await over).toBe(flow);
    }));

  it('sees what a hook made of a message', () =>
    withProxy(PLAIN, async (stage) => {
      stage.proxy.on('tcpMessage', async (_flow, message) => {
        message.data = message.text().toUpperCase();
      });
      const edited = stage.proxy.waitForTcpFlow((flow) => flow.messages.some(({ edited }) => edited));
      const { upstream } = await openPlain(stage);
      await upstream.send('row');
      expect((await edited).messages.at(0)?.edited).toBe(true);
      const loud = await stage.proxy.waitForTcpFlow((flow) => flow.messages.at(-1)?.text() === 'ROW');
      expect(loud.messages).toHaveLength(2);
    }));

  it('fails with a flow that reached nobody, which it carries', () =>
    withProxy({ tcpHosts: [':1$'] }, async (stage) => {
      const wait = rejectionOf(stage.proxy.waitForTcpFlow('127.0.0.1:1'));
      await openTunnel(stage, '127.0.0.1:1', '\x00');
      const error = await wait;
      expect(error).toMatchObject({ code: 'FLOW_FAILED', flow: stage.proxy.tcpFlows.last });
      expect(error.message).toMatch(
        /^waitForTcpFlow: the flow failed with ORIGIN_UNREACHABLE: .*\n {2}TCP 127\.0\.0\.1:1: 0 messages up, .*ORIGIN_UNREACHABLE/,
      );
      expect((await rejectionOf(stage.proxy.waitForTcpFlow(/:1$/))).message).toBe(error.message);
    }));

  it('gives a flow that was connected and then lost', () =>
    withProxy(PLAIN, async (stage) => {
      const { flow } = await openPlain(stage);
      flow.kill();
      expect((await stage.proxy.waitForTcpFlow('**')).error?.code).toBe('KILLED');
    }));

  it('says what was seen instead', () =>
    withProxy(PLAIN, async (stage) => {
      const none = await rejectionOf(stage.proxy.waitForTcpFlow('db.test', { timeout: 1 }));
      expect(none).toMatchObject({ code: 'WAIT_TIMEOUT' });
      expect(none.message).toBe(
        'waitForTcpFlow("db.test"): no such flow within 1 ms\n\n' +
          'No TCP flows were recorded. Does tcpHosts name the host, and does the client use the proxy?',
      );
      expect(none.stack?.match(/^ +at .*$/m)?.[0]).toContain('tcp-waits.test.ts');
      for (let n = 1; n <= 11; n++) await openPlain(stage);
      const { message } = await rejectionOf(stage.proxy.waitForTcpFlow(/^db/, { timeout: 1 }));
      const line = `  - TCP ${stage.origin.host}: 1 message up, 0 down, 1 B up, 0 B down, open`;
      expect(message.split('\n')).toEqual([
        'waitForTcpFlow(/^db/): no such flow within 1 ms',
        '',
        'Recorded TCP flows, latest first:',
        ...Array<string>(10).fill(line),
        '  ... and 1 more',
      ]);
    }));

  it('ends with the test, and with the proxy', () =>
    withProxy(PLAIN, async ({ proxy }) => {
      const first = rejectionOf(proxy.waitForTcpFlow('db.test'));
      const [ended] = proxy.endWaits('the test has ended');
      expect(await first).toBe(ended?.error);
      expect(ended?.error.message).toMatch(
        /^waitForTcpFlow\("db.test"\): the test has ended\n\nNo TCP flows/,
      );
      const second = rejectionOf(proxy.waitForTcpFlow('db.test'));
      await proxy.close();
      expect(await second).toMatchObject({ code: 'WAIT_ENDED' });
      expect((await rejectionOf(proxy.waitForTcpFlow('db.test'))).message).toContain('the proxy is closed');
    }));

  it('passes on what a function throws', () =>
    withProxy(PLAIN, async (stage) => {
      const thrown = new Error('mine');
      const wait = rejectionOf(
        stage.proxy.waitForTcpFlow(() => {
          throw thrown;
        }),
      );
      await openPlain(stage);
      expect(await wait).toBe(thrown);
    }));

  it('refuses what selects no flow', () =>
    withProxy(PLAIN, async ({ proxy }) => {
      for (const match of ['', 'tcp://db.test', 'a b', { host: 'db.test' }, undefined, 5432]) {
        expect(() => proxy.waitForTcpFlow(match as string)).toThrow(
          expect.objectContaining({
            code: 'BAD_MATCH',
            message: expect.stringMatching(
              /is not accepted; give a glob of .*'db\.test:5432', a RegExp .*or a function$/,
            ),
          }),
        );
      }
      expect(() => proxy.waitForTcpFlow('{a')).toThrow(/glob "\{a": '\{' is not closed/);
    }));
});
