import type tls from 'node:tls';
import { describe, expect, it } from '@jest/globals';
import { openTls, openTunnel, secured, TlsOrigin } from './listen/testing/tunnels.js';
import { withProxy } from './testing/with-proxy.js';

const GET = 'GET /path HTTP/1.1\r\nHost: app.test\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('HTTP in a tunnel', () => {
  it('becomes exchanges, also when it comes with CONNECT', () =>
    withProxy({}, async (stage) => {
      const { origin, client } = stage;
      const peer = await client();
      await peer.send(`CONNECT ${origin.host} HTTP/1.1\r\nHost: ${origin.host}\r\n\r\n`, GET);
      expect(await peer.head()).toBe('HTTP/1.1 200 Connection established\r\n\r\n');
      const upstream = await origin.accept();
      expect(await upstream.head()).toBe(GET);
      await upstream.send(OK);
      expect((await peer.read(OK.length)).toString()).toBe(OK);
      const flow = await stage.over();
      // Octets go where CONNECT says; Host names the URL.
      expect(flow.request.url).toBe('http://app.test/path');
      expect(flow.client).toMatchObject({ tunnel: origin.host, tls: false });
      expect(flow.server).toMatchObject({ port: origin.port, tls: false });
    }));

  it('is understood however its first octets are cut', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      for (const octet of GET) await peer.send(octet);
      expect(await (await stage.origin.accept()).head()).toBe(GET);
      expect(stage.proxy.flows).toHaveLength(1);
    }));
});

describe('TLS in a tunnel', () => {
  it('is taken off with a certificate for the SNI name, and spoken to the origin under the same name', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ hosts: { 'app.test': origin.host }, upstreamCa: origin.ca }, async (stage) => {
        const peer = await openTls(stage, 'app.test');
        await peer.send(GET);
        const upstream = await origin.accept();
        expect(await upstream.head()).toBe(GET);
        expect(origin.names).toEqual(['app.test']);
        await upstream.send(OK);
        expect((await peer.read(OK.length)).toString()).toBe(OK);
        const flow = await stage.over();
        expect(flow.request.url).toBe('https://app.test/path');
        expect(flow.client).toMatchObject({ tunnel: 'app.test:443', tls: true, sni: 'app.test' });
        expect(flow.server).toMatchObject({ port: origin.port, tls: true });
      });
    } finally {
      origin.close();
    }
  });

  it('gives a request that is refused the URL it would have had', () =>
    withProxy({}, async (stage) => {
      const peer = await openTls(stage, 'app.test');
      await peer.send('GET /path\r\n\r\n');
      expect(await peer.head()).toContain('400 Bad Request');
      const { request, error } = await stage.proxy.waitForError({ path: '/path' });
      expect([request.url, error.code]).toEqual(['https://app.test/path', 'CLIENT_PROTOCOL']);
    }));

  it('shows the leaf and its CA', () =>
    withProxy({}, async (stage) => {
      const peer = await openTls(stage, 'app.test');
      const leaf = (peer.socket as tls.TLSSocket).getPeerCertificate(true);
      expect(leaf.subjectaltname).toBe('DNS:app.test');
      expect(leaf.issuerCertificate.raw.toString('base64')).toBe(
        stage.proxy.ca.cert.replace(/-----[A-Z ]+-----|\s/g, ''),
      );
    }));

  for (const [address, name] of [
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '::1'],
  ] as const) {
    it(`to ${address} without SNI gets a certificate for the address`, () =>
      withProxy({}, async (stage) => {
        const plain = await openTunnel(stage, `${address}:443`);
        // Verified by Node against `host`: an IP SAN, not a DNS name that looks like one.
        const peer = await secured(plain, { host: name, ca: stage.proxy.ca.cert });
        const { subjectaltname } = (peer.socket as tls.TLSSocket).getPeerCertificate();
        expect(subjectaltname).toMatch(/^IP Address:/);
      }));
  }

  it('may be plain on the way to the origin, by a hosts target with http://', () =>
    withProxy({}, async (stage) => {
      stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
      const peer = await openTls(stage, 'app.test');
      await peer.send(GET);
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe(GET);
      await upstream.send(OK);
      await peer.read(OK.length);
      const flow = await stage.over();
      expect(flow.request.url).toBe('https://app.test/path');
      expect(flow.server?.tls).toBe(false);
    }));

  it('a close-delimited body that fails does not look complete to a TLS client', () =>
    withProxy({}, async (stage) => {
      stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
      stage.proxy.stream('**');
      const peer = await openTls(stage, 'app.test');
      await peer.send(GET);
      const upstream = await stage.origin.accept();
      await upstream.head();
      await upstream.send('HTTP/1.1 200 OK\r\n\r\npart');
      await peer.read('part');
      upstream.reset();
      expect(await peer.ending).toBe('rst');
    }));

  it('tells clientError of a handshake that fails', () =>
    withProxy({}, async (stage) => {
      const errors: string[] = [];
      stage.proxy.on('clientError', (client, error) => {
        errors.push(`${client.tunnel} ${error.message}`);
      });
      const peer = await openTunnel(stage, 'app.test:443');
      // A record that begins like a hello and is none.
      await peer.send(Buffer.from('1603010004deadbeef', 'hex'));
      await peer.ending;
      await stage.eventually(() => errors.length > 0, 'clientError');
      expect(errors[0]).toMatch(/^app\.test:443 /);
    }));
});

describe('anything else in a tunnel', () => {
  it('passes as it is, both ways, each end on its own', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      await peer.send(Buffer.from([0, 1, 2, 255]), 'SSH-2.0-x\r\n');
      const upstream = await stage.origin.accept();
      expect((await upstream.read(15)).toString('latin1')).toBe('\x00\x01\x02\xffSSH-2.0-x\r\n');
      peer.end();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('still talking');
      expect((await peer.read(13)).toString()).toBe('still talking');
      upstream.end();
      expect(await peer.ending).toBe('fin');
      expect(stage.proxy.flows).toHaveLength(0);
    }));

  it('passes both ways in TLS, too, each end on its own', () =>
    withProxy({}, async (stage) => {
      stage.proxy.mapHost('app.test', `http://${stage.origin.host}`);
      const peer = await openTls(stage, 'app.test');
      await peer.send('\x00');
      const upstream = await stage.origin.accept();
      await upstream.read(1);
      peer.end();
      expect(await upstream.ending).toBe('fin');
      await upstream.send('still talking');
      expect((await peer.read(13)).toString()).toBe('still talking');
    }));

  it('loses nothing to a slow reader when the other end closes', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      await peer.send('\x00');
      const upstream = await stage.origin.accept();
      await upstream.read(1);
      peer.pause();
      peer.end();
      await upstream.ending;
      const size = 24 * 1024 * 1024;
      const sent = upstream.send(Buffer.alloc(size, 'x'));
      upstream.end();
      peer.resume();
      await sent;
      expect(await peer.rest()).toHaveLength(size);
      expect(peer.ended).toBe('fin');
    }));

  it('for a name that no certificate can carry is closed, and told', () =>
    withProxy({}, async (stage) => {
      const told = new Promise<Error>((resolve) => {
        stage.proxy.on('clientError', (_client, error) => resolve(error));
      });
      const peer = await openTunnel(stage, '*.test:443');
      // As much of a hello as the proxy waits for.
      await peer.send(Buffer.from('160301000401000000', 'hex'));
      expect((await told).message).toContain('"*.test" is not a name to make a certificate for');
      await peer.ending;
    }));

  it('passes on a reset as a reset', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      await peer.send('\x00');
      const upstream = await stage.origin.accept();
      await upstream.read(1);
      upstream.reset();
      expect(await peer.ending).toBe('rst');
    }));

  it('a server that speaks first is heard, when the client is silent', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      const upstream = await stage.origin.accept();
      await upstream.send('220 mail.test ready\r\n');
      expect((await peer.read('\r\n')).toString()).toBe('220 mail.test ready\r\n');
      await peer.send('EHLO me\r\n');
      expect((await upstream.read('\r\n')).toString()).toBe('EHLO me\r\n');
    }));

  it('a client that was only slow is still read as HTTP', () =>
    withProxy({}, async (stage) => {
      const peer = await openTunnel(stage, stage.origin.host);
      // By now the proxy has given up waiting and asked the origin, which says nothing.
      const asked = await stage.origin.accept();
      await peer.send(GET);
      const upstream = await stage.origin.accept();
      expect(await upstream.head()).toBe(GET);
      expect(await asked.ending).toBe('fin');
      expect(stage.proxy.flows).toHaveLength(1);
    }));

  it('TLS without HTTP in it passes through TLS again', async () => {
    const origin = await TlsOrigin.listen('app.test');
    try {
      await withProxy({ hosts: { 'app.test': origin.host }, upstreamCa: origin.ca }, async (stage) => {
        const peer = await openTls(stage, 'app.test');
        await peer.send('\x00\x01 not HTTP');
        const upstream = await origin.accept();
        expect((await upstream.read(11)).toString()).toBe('\x00\x01 not HTTP');
        peer.end();
        expect(await upstream.ending).toBe('fin');
      });
    } finally {
      origin.close();
    }
  });

  it('is closed, and told to clientError, when its origin cannot be reached', () =>
    withProxy({}, async (stage) => {
      const errors: Error[] = [];
      stage.proxy.on('clientError', (_client, error) => void errors.push(error));
      const peer = await openTunnel(stage, '127.0.0.1:1');
      await peer.send('\x00');
      await peer.ending;
      expect(errors.map(({ message }) => message)).toEqual(['127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1']);
    }));
});
