import { describe, expect, it } from '@jest/globals';
import { octets } from '../testing/bytes.js';
import type { RawPeer } from '../testing/raw-peer.js';
import { type Stage, withProxy } from '../testing/with-proxy.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const headOf = ({ origin }: Stage, method = 'GET', fields = '') =>
  `${method} http://${origin.host}/ HTTP/1.1\r\nHost: ${origin.host}\r\n${fields}\r\n`;

/** One exchange on a new client connection, which gives back the origin's connection. */
async function served(stage: Stage, response = OK): Promise<RawPeer> {
  const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
  await upstream.send(response);
  await client.read(response.length);
  await stage.over();
  return upstream;
}

/** Sends a request and gives the origin connection it arrives on: a new one, or `former`. */
async function arrives(stage: Stage, former: RawPeer): Promise<'reused' | 'fresh'> {
  const client = await stage.client();
  await client.send(headOf(stage));
  const fresh = stage.origin.accept().then(() => 'fresh' as const);
  const reused = former.head().then(
    () => 'reused' as const,
    () => fresh,
  );
  return Promise.race([fresh, reused]);
}

describe('origin connections', () => {
  it('are used again, by any client', () =>
    withProxy({}, async (stage) => {
      const upstream = await served(stage);
      expect(await arrives(stage, upstream)).toBe('reused');
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('are not used while they are busy', () =>
    withProxy({}, async (stage) => {
      const first = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      const second = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      expect(second.upstream).not.toBe(first.upstream);
    }));

  const spoiled: Record<string, (upstream: RawPeer) => void | Promise<void>> = {
    'any octet comes while they idle': (upstream) => upstream.send('\r\n'),
    'a whole response comes unasked': (upstream) => upstream.send(OK),
    'the origin closes them': (upstream) => upstream.end(),
    'the origin resets them': (upstream) => upstream.reset(),
  };
  for (const [when, spoil] of Object.entries(spoiled)) {
    it(`are given up when ${when}`, () =>
      withProxy({}, async (stage) => {
        const upstream = await served(stage);
        await spoil(upstream);
        // A round trip through the proxy's event loop: it has seen the above when this ends.
        await upstream.ending;
        expect(await arrives(stage, upstream)).toBe('fresh');
      }));
  }

  const unusable: Record<string, string> = {
    'says Connection: close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'is HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'keeps alive for a second, less the one for safety':
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=9\r\nContent-Length: 2\r\n\r\nok',
    'has more behind it': `${OK}${OK}`,
  };
  for (const [what, response] of Object.entries(unusable)) {
    it(`are not used after a response that ${what}`, () =>
      withProxy({}, async (stage) => {
        const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
        await upstream.send(response);
        await client.read('ok');
        await stage.over();
        expect(await arrives(stage, upstream)).toBe('fresh');
        await upstream.ending;
      }));
  }

  it('are closed a second before the time that Keep-Alive gives them', () =>
    withProxy({}, async (stage) => {
      // By itself it would stay for a minute.
      const response = 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok';
      expect(await (await served(stage, response)).ending).toBe('fin');
    }));

  it('are closed after timeouts.idle', () =>
    withProxy({ timeouts: { idle: 30 } }, async (stage) => {
      const upstream = await served(stage);
      expect(await upstream.ending).toBe('fin');
    }));

  it('serve one client only, once NTLM or Negotiate has authenticated them', () =>
    withProxy({}, async (stage) => {
      const challenge = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n';
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send(challenge);
      await client.read(challenge.length);
      // Another client must not get the authenticated connection ...
      const other = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      expect(other.upstream).not.toBe(upstream);
      await other.upstream.send(OK);
      await other.client.read(OK.length);
      await stage.over(2);
      // ... and this client gets no other, however many idle.
      await client.send(headOf(stage, 'GET', 'Authorization: NTLM TlRMTVNT\r\n'));
      expect(await upstream.head()).toContain('Authorization: NTLM');
      await upstream.send(OK);
      await client.read(OK.length);
      client.end();
      await upstream.ending;
    }));
});

describe('an origin that closes a connection it has served on before, without a word', () => {
  /** Sends a request on a connection that served before, and lets the origin close it instead of answering. */
  async function stale(
    stage: Stage,
    request: string,
    close: (upstream: RawPeer) => void | Promise<void> = (upstream) => upstream.end(),
  ): Promise<RawPeer> {
    const upstream = await served(stage);
    const client = await stage.client();
    await client.send(request);
    await upstream.head();
    await close(upstream);
    return client;
  }

  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
    it(`is asked once more: ${method}`, () =>
      withProxy({}, async (stage) => {
        const client = await stale(stage, `${headOf(stage, method, 'Content-Length: 4\r\n')}body`);
        const fresh = await stage.origin.accept();
        expect(await fresh.head()).toContain(`${method} / HTTP/1.1\r\n`);
        expect((await fresh.read(4)).toString()).toBe('body');
        await fresh.send('HTTP/1.1 204 No Content\r\n\r\n');
        expect(await client.head()).toContain('204 No Content');
        expect((await stage.over(2)).error).toBeUndefined();
        expect(stage.hooks.filter((hook) => hook === 'request 2')).toHaveLength(1);
      }));
  }

  it('is asked once more after a reset', () =>
    withProxy({}, async (stage) => {
      await stale(stage, headOf(stage), (upstream) => upstream.reset());
      expect(await (await stage.origin.accept()).head()).toContain('GET / ');
    }));

  it('is asked once more, and the connection that was lost is let go', () =>
    withProxy({}, async (stage) => {
      const lost: RawPeer[] = [];
      await stale(stage, headOf(stage), (upstream) => {
        upstream.end();
        lost.push(upstream);
      });
      await (await stage.origin.accept()).head();
      expect(await lost[0]?.ending).not.toBeUndefined();
    }));

  it('is asked once more, whatever else becomes of the connection that was lost', () =>
    withProxy({}, async (stage) => {
      const upstream = await served(stage);
      // Stalled, so that there is something to write when the reset comes.
      upstream.pause();
      const client = await stage.client();
      const body = octets(32_000_000);
      const sent = client.send(headOf(stage, 'PUT', `Content-Length: ${body.length}\r\n`), body);
      await stage.eventually(() => stage.hooks.includes('request 2'), 'the request to be forwarded');
      upstream.end();
      const fresh = await stage.origin.accept();
      upstream.reset();
      await fresh.head();
      expect((await fresh.read(body.length)).equals(body)).toBe(true);
      await fresh.send(OK);
      expect(await client.head()).toContain('200 OK');
      await sent;
    }));

  it('but only once: the second failure is told', () =>
    withProxy({}, async (stage) => {
      const client = await stale(stage, headOf(stage));
      const fresh = await stage.origin.accept();
      await fresh.head();
      fresh.end();
      expect(await client.head()).toContain('502 Bad Gateway');
      expect((await stage.over(2)).error?.code).toBe('ORIGIN_CLOSED');
      expect(stage.origin.connections).toHaveLength(2);
    }));

  it('is not asked again what may have had an effect: the client is cut off, and sees no 502', () =>
    withProxy({}, async (stage) => {
      const client = await stale(stage, headOf(stage, 'POST', 'Content-Length: 0\r\n'));
      expect(await client.rest()).toHaveLength(0);
      expect((await stage.over(2)).error?.code).toBe('ORIGIN_CLOSED');
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('is not asked again once an octet of the response has come', () =>
    withProxy({}, async (stage) => {
      const client = await stale(stage, headOf(stage), async (upstream) => {
        await upstream.send('HTTP/1.1 20');
        upstream.end();
      });
      expect(await client.head()).toContain('502 Bad Gateway');
      expect((await stage.over(2)).error?.code).toBe('ORIGIN_CLOSED');
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('on its first connection is told as it is', () =>
    withProxy({}, async (stage) => {
      const { client, upstream } = await stage.exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      upstream.end();
      expect(await client.head()).toContain('502 Bad Gateway');
      expect(stage.origin.connections).toHaveLength(1);
    }));

  it('never meets a streamed upload: that takes a fresh connection', () =>
    withProxy({}, async (stage) => {
      stage.proxy.stream('**', { request: true });
      const upstream = await served(stage);
      const client = await stage.client();
      await client.send(`${headOf(stage, 'PUT', 'Content-Length: 4\r\n')}body`);
      expect(await (await stage.origin.accept()).head()).toContain('PUT / ');
      expect(upstream.unread).toHaveLength(0);
    }));
});
