/** What others make of the certificates: Node's TLS, OpenSSL's own tool, curl. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { expect } from 'expect';
import { type CertificateAuthority, loadCa, processCa } from './ca.js';
import { checkServerIdentity } from './identity.js';
import { caPem, validity } from './testing/pems.js';
import { makeRoot } from './x509.js';

const has = (command: string, argument: string) => spawnSync(command, [argument]).status === 0;
const withoutOpenssl = has('openssl', 'version') ? false : 'no openssl here';
const withoutCurl = has('curl', '--version') ? false : 'no curl here';
const run = promisify(execFile);
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

let directory = '';
before(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'sluice-tls-'));
});
after(() => rmSync(directory, { recursive: true, force: true }));
const saved = (name: string, text: string): string => {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
};

/** A server on 127.0.0.1 that answers HTTP with the server name it was asked for. */
async function serve(ca: CertificateAuthority, withoutSni = '127.0.0.1', maxVersion?: tls.SecureVersion) {
  const server = tls.createServer({
    ...ca.credentialsFor(withoutSni),
    maxVersion,
    SNICallback: (name, done) => done(null, ca.contextFor(name)),
  });
  server.on('secureConnection', (socket) => {
    const body = socket.servername || 'none';
    // A socket that nobody reads never notices its end.
    socket.on('error', () => socket.destroy()).resume();
    socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())) };
}

/** A handshake that expects a certificate for `host`. */
async function greet(port: number, host: string, trusted: string) {
  const socket = net.connect(port, '127.0.0.1');
  const servername = net.isIP(host) ? '' : host;
  const client = tls.connect({ socket, host, servername, ca: trusted, checkServerIdentity });
  try {
    await once(client, 'secureConnect');
    const sent = client.getPeerCertificate(true);
    return {
      authorized: client.authorized,
      names: sent.subjectaltname,
      issuer: sent.issuerCertificate.subject.CN,
    };
  } finally {
    client.destroy();
  }
}

describe('a TLS client that trusts only the CA', () => {
  const authorities: [kind: string, make: () => CertificateAuthority][] = [
    ["the process's own CA", processCa],
    ["a user's RSA CA", () => loadCa(caPem(generateKeyPairSync('rsa', { modulusLength: 2048 })))],
    ["a user's P-384 CA", () => loadCa(caPem(generateKeyPairSync('ec', { namedCurve: 'P-384' })))],
  ];
  const hosts: [host: string, names: string][] = [
    ['app.test', 'DNS:app.test'],
    ['127.0.0.1', 'IP Address:127.0.0.1'],
    ['2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
    [`${'long-label.'.repeat(8)}test`, `DNS:${'long-label.'.repeat(8)}test`],
  ];
  for (const [kind, make] of authorities) {
    for (const [host, names] of hosts) {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        it(`accepts ${host.slice(0, 20)} by ${kind}, ${version}`, async () => {
          const ca = make();
          await using server = await serve(ca, host, version);
          const seen = await greet(server.port, host, ca.cert);
          const issuer = /CN=(.*)$/.exec(new X509Certificate(ca.cert).subject)?.[1];
          expect(seen).toEqual({ authorized: true, names, issuer });
        });
      }
    }
  }

  it('refuses a certificate of another CA, and one for another name', async () => {
    const ca = loadCa(caPem());
    await using server = await serve(ca, '127.0.0.1');
    await expect(greet(server.port, 'app.test', processCa().cert)).rejects.toThrow(/unable to|self.signed/);
    await expect(greet(server.port, '127.0.0.2', ca.cert)).rejects.toThrow('127.0.0.2 is not in the cert');
  });
});

describe('openssl', { skip: withoutOpenssl }, () => {
  const check = (ca: CertificateAuthority, host: string, ...name: string[]) => {
    const leaf = saved('leaf.pem', ca.credentialsFor(host).cert);
    const root = saved('root.pem', ca.cert);
    const args = [
      '-x509_strict',
      '-check_ss_sig',
      '-purpose',
      'sslserver',
      '-no-CAfile',
      '-no-CApath',
      '-CAfile',
      root,
    ];
    return openssl('verify', ...args, ...name, leaf).trim();
  };

  it('verifies strictly, for names and addresses, with every kind of CA key', () => {
    const rsa = loadCa(caPem(generateKeyPairSync('rsa', { modulusLength: 3072 })));
    const p521 = loadCa(caPem(generateKeyPairSync('ec', { namedCurve: 'P-521' })));
    for (const ca of [processCa(), rsa, p521]) {
      expect(check(ca, 'app.test', '-verify_hostname', 'app.test')).toMatch(/leaf\.pem: OK$/);
      expect(check(ca, '10.1.2.3', '-verify_ip', '10.1.2.3')).toMatch(/leaf\.pem: OK$/);
      expect(check(ca, '2001:db8::a', '-verify_ip', '2001:db8::a')).toMatch(/leaf\.pem: OK$/);
    }
    expect(() => check(processCa(), 'app.test', '-verify_hostname', 'other.test')).toThrow(
      /[Hh]ostname mismatch/,
    );
  });

  it('reads the fields as they were meant', () => {
    const leaf = openssl(
      'x509',
      '-noout',
      '-text',
      '-in',
      saved('l.pem', processCa().credentialsFor('app.test').cert),
    );
    const root = openssl('x509', '-noout', '-text', '-in', saved('r.pem', processCa().cert));
    const following = (text: string, title: RegExp) =>
      new RegExp(`${title.source}:?\\s*\\n\\s*(.*)`).exec(text)?.[1]?.trim();
    expect(leaf).toContain('Version: 3 (0x2)');
    expect(leaf).toContain('Signature Algorithm: ecdsa-with-SHA256');
    expect(following(leaf, /Basic Constraints: critical/)).toBe('CA:FALSE');
    expect(following(leaf, /X509v3 Key Usage: critical/)).toBe('Digital Signature');
    expect(following(leaf, /Extended Key Usage/)).toBe('TLS Web Server Authentication');
    expect(following(leaf, /Subject Alternative Name/)).toBe('DNS:app.test');
    expect(following(root, /Basic Constraints: critical/)).toBe('CA:TRUE, pathlen:0');
    expect(following(root, /X509v3 Key Usage: critical/)).toBe('Certificate Sign, CRL Sign');
    const keyId = following(root, /Subject Key Identifier/);
    expect(keyId).toMatch(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/);
    expect(following(leaf, /Authority Key Identifier/)?.replace('keyid:', '')).toBe(keyId);
    expect(following(leaf, /Subject Key Identifier/)).not.toBe(keyId);
  });

  it('computes the same SPKI hash', () => {
    const rsa = loadCa(caPem(generateKeyPairSync('rsa', { modulusLength: 2048 })));
    for (const ca of [processCa(), rsa]) {
      const publicKey = saved(
        'key.pem',
        openssl('x509', '-noout', '-pubkey', '-in', saved('c.pem', ca.cert)),
      );
      const spki = path.join(directory, 'spki.der');
      openssl('pkey', '-pubin', '-in', publicKey, '-outform', 'DER', '-out', spki);
      const hash = execFileSync('openssl', ['dgst', '-sha256', '-binary', spki]).toString('base64');
      expect(ca.spki).toBe(hash);
    }
  });

  it('dates certificates past 2049 in the long form', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const root = makeRoot('Late', publicKey, privateKey, {
      ...validity(),
      to: new Date('2061-02-03T04:05:06Z'),
    });
    const text = openssl(
      'x509',
      '-noout',
      '-enddate',
      '-in',
      saved('late.pem', new X509Certificate(root).toString()),
    );
    expect(text.trim()).toBe('notAfter=Feb  3 04:05:06 2061 GMT');
  });

  it('makes CAs that can be loaded, one below another too; clients need to trust only the upper one', async () => {
    const make = (line: string) =>
      execFileSync('openssl', line.split(' '), { cwd: directory, stdio: 'pipe' });
    const read = (name: string) => readFileSync(path.join(directory, name), 'utf8');
    make(
      'req -x509 -newkey rsa:2048 -nodes -keyout top.key -out top.pem -days 9 -utf8 -subj /C=XX/O=Tést/CN=Top',
    );
    make('req -new -newkey rsa:2048 -nodes -keyout mid.key -out mid.csr -subj /C=XX/CN=Mid+OU=Two');
    // Without a subject key identifier, as CAs made by hand often are.
    saved('mid.ext', 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\nsubjectKeyIdentifier=none\n');
    make(
      'x509 -req -in mid.csr -out mid.pem -days 9 -CA top.pem -CAkey top.key -set_serial 7 -extfile mid.ext',
    );
    const direct = loadCa({ cert: read('top.pem'), key: read('top.key') });
    const below = loadCa({ cert: read('mid.pem') + read('top.pem'), key: read('mid.key') });
    for (const ca of [direct, below]) {
      await using server = await serve(ca, '127.0.0.1');
      expect(await greet(server.port, 'app.test', read('top.pem'))).toMatchObject({ authorized: true });
    }
  });
});

describe('curl', { skip: withoutCurl }, () => {
  const fetched = async (url: string, port: number, ca: string) => {
    const args = [
      '-sS',
      '--noproxy',
      '*',
      '--max-time',
      '20',
      '--cacert',
      ca,
      '--resolve',
      `app.test:${port}:127.0.0.1`,
    ];
    return (await run('curl', [...args, url])).stdout;
  };

  it('accepts a name and an address with --cacert, and nothing without', async () => {
    const ca = processCa();
    await using server = await serve(ca);
    const file = saved('curl.pem', ca.cert);
    expect(await fetched(`https://app.test:${server.port}/`, server.port, file)).toBe('app.test');
    expect(await fetched(`https://127.0.0.1:${server.port}/`, server.port, file)).toBe('none');
    const other = saved('other.pem', caPem().cert);
    await expect(fetched(`https://app.test:${server.port}/`, server.port, other)).rejects.toThrow(
      /certificate/,
    );
  });
});
