import { describe, expect, it } from '@jest/globals';
import { credentials, GREETING, GREETING_PASSWORD, replyOf, toName } from './listen/testing/socks.js';
import { unresponsive } from './origin/testing/unresponsive.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const SOCKS = { mode: 'socks5' } as const;

/** What was told to `clientError`. */
function errorsOf(stage: Stage): string[] {
  const errors: string[] = [];
  stage.proxy.on('clientError', (_client, error) => void errors.push(error.message));
  return errors;
}

/** The answer to `sent`, in full: the connection is closed after it. */
async function answerTo(stage: Stage, ...sent: (string | Uint8Array)[]): Promise<string> {
  const peer = await stage.client();
  await peer.send(...sent);
  const answer = await peer.rest();
  expect(peer.ended).toBe('fin');
  return answer.toString('hex');
}

describe('SOCKS5 is answered with', () => {
  const refusals: [what: string, request: Buffer, reply: number, code?: string][] = [
    ['refused, by an address where nobody listens', toName('127.0.0.1', 1), 5, 'ORIGIN_UNREACHABLE'],
    ['host unreachable, of a name that is not known', toName('no.invalid', 80), 4, 'ORIGIN_UNREACHABLE'],
    ['host unreachable, of a name that is too long', toName('a'.repeat(255), 80), 4, 'ORIGIN_UNREACHABLE'],
    ['unknown command, for BIND', toName('app.test', 80, 2), 7],
    ['unknown command, for UDP ASSOCIATE', toName('app.test', 80, 3), 7],
    ['unknown address type', Buffer.from([5, 1, 0, 5, 1, 1, 0, 80]), 8],
    ['failure, for port 0', toName('app.test', 0), 1],
    ['failure, for a name without a letter', toName('', 80), 1],
    ['failure, for a name with NUL in it', toName('127.0.0.1\0.test', 80), 1],
    ['failure, for a name with a blank in it', toName('app test', 80), 1],
    ['failure, for a name with a port in it', toName('app.test:8080', 80), 1],
    ['failure, for another version in the request', Buffer.from([4, 1, 0, 1, 1, 1, 1, 1, 0, 80]), 1],
  ];
  for (const [what, request, reply, code] of refusals) {
    it(what, () =>
      withProxy(SOCKS, async (stage) => {
        const errors = errorsOf(stage);
        // What comes behind it is not read, and does not make the answer a reset.
        expect(await answerTo(stage, GREETING, request, 'more')).toBe(`0500${replyOf(reply)}`);
        if (code === undefined) expect([errors.length, stage.proxy.flows.length]).toEqual([1, 0]);
        else {
          const { request: recorded, error } = await stage.over();
          expect([recorded.method, error?.code]).toEqual(['CONNECT', code]);
          expect(errors).toEqual([]);
        }
      }),
    );
  }

  it('expired, when the connection takes longer than timeouts.connect', () =>
    unresponsive((port) =>
      withProxy({ ...SOCKS, timeouts: { connect: 50 } }, async (stage) => {
        // What follows is more than is read ahead, and still does not make the answer a reset.
        const sent = [GREETING, toName('127.0.0.1', port), Buffer.alloc(1024 * 1024)];
        expect(await answerTo(stage, ...sent)).toBe(`0500${replyOf(6)}`);
        expect((await stage.over()).error?.code).toBe('ORIGIN_TIMEOUT');
      }),
    ));

  it('not allowed, for the proxy itself', () =>
    withProxy(SOCKS, async (stage) => {
      const { port } = stage.proxy;
      stage.proxy.mapHost('app.test', `127.0.0.1:${port}`);
      for (const name of ['localhost', 'app.test']) {
        expect(await answerTo(stage, GREETING, toName(name, port))).toBe(`0500${replyOf(2)}`);
      }
      expect((await stage.over()).error?.code).toBe('PROXY_LOOP');
    }));

  it('no acceptable method', () =>
    withProxy(SOCKS, async (stage) => {
      expect(await answerTo(stage, Buffer.from([5, 1, 2]), 'more')).toBe('05ff');
      expect(await answerTo(stage, Buffer.from([5, 0]))).toBe('05ff');
      const others = Array.from({ length: 255 }, (_, i) => i + 1);
      expect(await answerTo(stage, Buffer.from([5, 255, ...others]))).toBe('05ff');
    }));

  it('what SOCKS4, HTTP and others can understand, if anything', () =>
    withProxy(SOCKS, async (stage) => {
      const errors = errorsOf(stage);
      expect(await answerTo(stage, Buffer.from([4, 1, 0, 80, 127, 0, 0, 1, 0]))).toBe('005b000000000000');
      expect(await answerTo(stage, Buffer.from([22, 3, 1, 0, 4]))).toBe('');
      const http = Buffer.from(
        await answerTo(stage, 'GET http://app.test/ HTTP/1.1\r\n\r\n'),
        'hex',
      ).toString();
      expect(http).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*this port speaks SOCKS5/);
      expect(errors).toHaveLength(3);
    }));
});

describe('a client of SOCKS5', () => {
  it('has to give the name and password of proxyAuth', () =>
    withProxy({ ...SOCKS, proxyAuth: 'me:se:cret' }, async (stage) => {
      const errors = errorsOf(stage);
      expect(await answerTo(stage, GREETING)).toBe('05ff');
      const wrong: [string, string][] = [
        ['me', 'secret'],
        ['me:se', 'cret'],
        ['', ''],
        ['x'.repeat(255), 'y'.repeat(255)],
      ];
      for (const [user, password] of wrong) {
        const sent = [GREETING_PASSWORD, credentials(user, password), toName('127.0.0.1', stage.origin.port)];
        expect(await answerTo(stage, ...sent)).toBe('05020101');
      }
      expect(await answerTo(stage, GREETING_PASSWORD, Buffer.from([5, 1, 0]))).toBe('05020101');
      expect(errors).toHaveLength(2 + wrong.length);
      expect(errors.join()).not.toMatch(/cret/);
      expect(stage.proxy.flows).toHaveLength(0);
      expect(stage.origin.connections).toHaveLength(0);
    }));

  it('that stops in the middle is closed after timeouts.idle', () =>
    withProxy({ ...SOCKS, timeouts: { idle: 50 } }, async (stage) => {
      const errors = errorsOf(stage);
      const silent = await stage.client();
      const slow = await stage.client();
      await slow.send(GREETING, toName('app.test', 80).subarray(0, 6));
      await silent.ending;
      await slow.ending;
      expect(errors).toEqual(['the client stopped in the middle of the SOCKS handshake']);
    }));

  it('that is being connected when the proxy is closed leaves no flow', () =>
    unresponsive((port) =>
      withProxy(SOCKS, async (stage) => {
        const peer = await stage.client();
        await peer.send(GREETING, toName('127.0.0.1', port));
        await peer.read(2);
        await stage.proxy.close();
        await peer.ending;
        expect(stage.proxy.flows).toHaveLength(0);
      }),
    ));

  it('that leaves in the middle is told', () =>
    withProxy(SOCKS, async (stage) => {
      const errors = errorsOf(stage);
      const peer = await stage.client();
      await peer.send(GREETING, Buffer.from([5, 1]));
      peer.end();
      await peer.ending;
      expect(errors).toEqual(['the client closed the connection during the SOCKS handshake']);
      const reset = await stage.client();
      await reset.send(Buffer.from([5]));
      reset.reset();
      await stage.eventually(() => errors.length > 1, 'the second error');
    }));

  it('that leaves while it is being connected leaves no connection behind', () =>
    withProxy(SOCKS, async (stage) => {
      const gone = new Promise<void>((resolve) => stage.proxy.on('clientDisconnect', () => resolve()));
      const peer = await stage.client();
      await peer.send(GREETING, toName('localhost', stage.origin.port));
      peer.reset();
      await gone;
      const upstream = await stage.origin.accept();
      await upstream.ending;
    }));
});
