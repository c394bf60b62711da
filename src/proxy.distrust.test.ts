import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { openTunnel } from './listen/testing/tunnels.js';
import { type Stage, withProxy } from './testing/with-proxy.js';

const UNKNOWN_CA = Buffer.from('15030300020230', 'hex');
const CLOSED = 'the client closed the connection during the TLS handshake; it may not trust the CA';

/** What clientError is told. */
function errorsOf({ proxy }: Stage): string[] {
  const errors: string[] = [];
  proxy.on('clientError', ({ tunnel }, { message }) => void errors.push(`${tunnel}: ${message}`));
  return errors;
}

/** The hello of a client, with or without a name in it. */
function helloFor(servername: string | undefined): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({ read: () => undefined, write: (hello: Buffer) => resolve(hello) });
    tls.connect({ socket, ...(servername === undefined ? {} : { servername }) });
  });
}

describe('a client that does not trust the CA', () => {
  for (const [name, end] of [
    ['app.test', 'end'],
    ['app.test', 'reset'],
    [undefined, 'reset'],
  ] as const) {
    it(`and says so with an alert is told of, ${name ?? 'by its address'}, ${end}`, () =>
      withProxy({}, async (stage) => {
        const errors = errorsOf(stage);
        const peer = await openTunnel(stage, 'app.test:443');
        await peer.send(await helloFor(name));
        await peer.read(1);
        await peer.send(UNKNOWN_CA);
        peer[end]();
        await stage.eventually(() => errors.length > 0, 'clientError');
        expect(errors).toHaveLength(1);
        // Elsewhere a reset takes back what has not been read.
        if (end === 'reset' && process.platform !== 'linux') expect(errors[0]).toContain('trust the CA');
        else expect(errors[0]).toBe('app.test:443: the client does not trust the CA (alert unknown ca)');
      }));

    it(`and only closes is told of, ${name ?? 'by its address'}, ${end}`, () =>
      withProxy({}, async (stage) => {
        const errors = errorsOf(stage);
        const peer = await openTunnel(stage, 'app.test:443');
        await peer.send(await helloFor(name));
        await peer.read(1);
        peer[end]();
        await stage.eventually(() => errors.length > 0, 'clientError');
        expect(errors).toEqual([`app.test:443: ${CLOSED}`]);
        if (end === 'end') expect(['fin', 'rst']).toContain(await peer.ending);
      }));
  }

  it('as Node does, is told of, and is no problem of the test', () =>
    withProxy({}, async (stage) => {
      const errors = errorsOf(stage);
      const { socket } = await openTunnel(stage, 'app.test:443');
      const secure = tls.connect({ socket, servername: 'app.test' });
      const refused = new Promise<NodeJS.ErrnoException>((resolve) => secure.on('error', resolve));
      expect((await refused).code).toBe('SELF_SIGNED_CERT_IN_CHAIN');
      await stage.eventually(() => errors.length > 0, 'clientError');
      expect(errors).toEqual([`app.test:443: ${CLOSED}`]);
      await stage.proxy.verify();
    }));
});
