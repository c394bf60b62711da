import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { describe, it, mock } from 'node:test';
import { expect } from 'expect';
import { isSluiceError, type SluiceError } from '../errors.js';
import { type CertificateAuthority, loadCa, processCa } from './ca.js';
import { caPem, certificateOf, DAY, ecKeys, pemOf, validity } from './testing/pems.js';
import { makeLeaf, makeRoot } from './x509.js';

describe('processCa', () => {
  it('is one object per process, and one for all copies of the package', () => {
    expect(processCa()).toBe(processCa());
    const copies: object = globalThis;
    expect(Reflect.get(copies, Symbol.for('sluice.processCa.1'))).toBe(processCa());
  });

  it('is a CA certificate that signed itself', () => {
    const certificate = new X509Certificate(processCa().cert);
    expect(certificate.ca).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.subject).toMatch(/^O=Sluice\nCN=Sluice CA [0-9a-f]{8}$/);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});

describe('the certificates of a CA', () => {
  const leafOf = (name: string, ca: CertificateAuthority = processCa()) =>
    new X509Certificate(ca.credentialsFor(name).cert);

  it('are signed by the CA and come with its certificate', () => {
    const ca = processCa();
    const leaf = leafOf('app.test');
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(new X509Certificate(ca.cert))).toBe(true);
    expect(leaf.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
    expect(ca.credentialsFor('app.test').cert.endsWith(ca.cert)).toBe(true);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it('hold for the name or the address, and for no other', () => {
    expect(leafOf('app.test').subjectAltName).toBe('DNS:app.test');
    expect(leafOf('app.test').checkHost('app.test')).toBe('app.test');
    expect(leafOf('app.test').checkHost('other.test')).toBeUndefined();
    expect(leafOf('192.0.2.7').subjectAltName).toBe('IP Address:192.0.2.7');
    expect(leafOf('[2001:db8::5]').checkIP('2001:db8::5')).toBe('2001:db8::5');
  });

  it('keep a name that is too long for a common name in the alternative name alone', () => {
    const fits = `${'a'.repeat(59)}.test`;
    expect(leafOf(fits).subject).toBe(`O=Sluice\nCN=${fits}`);
    const long = `${'a'.repeat(60)}.test`;
    expect(leafOf(long).subject).toBe('O=Sluice');
    expect(leafOf(long).checkHost(long)).toBe(long);
    const longest = `${`${'b'.repeat(62)}.`.repeat(3)}${'b'.repeat(64 - 1)}`;
    expect(leafOf(longest).checkHost(longest)).toBe(longest);
  });

  it('hold from yesterday, for no more than the 397 days that browsers take', () => {
    const leaf = leafOf('dates.test');
    const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
    expect(from).toBeLessThan(Date.now() - DAY + 60_000);
    expect(from).toBeGreaterThan(Date.now() - 2 * DAY);
    expect(to).toBeGreaterThan(Date.now() + 30 * DAY);
    expect(to - from).toBeLessThanOrEqual(397 * DAY);
  });

  it('are dated by the real clock while a test has faked it', () => {
    const real = Date.now();
    mock.timers.enable({ apis: ['Date'], now: new Date('2001-02-03') });
    try {
      expect(Date.parse(leafOf('faked-clock.test').validFrom)).toBeGreaterThan(real - 2 * DAY);
    } finally {
      mock.timers.reset();
    }
  });

  it('have unique positive serial numbers of 16 octets', () => {
    const serials = Array.from({ length: 64 }, (_, i) => leafOf(`serial-${i}.test`).serialNumber);
    for (const serial of serials) expect(serial).toMatch(/^(0[1-9A-F]|[1-7][0-9A-F])[0-9A-F]{30}$/);
    expect(new Set(serials).size).toBe(64);
  });

  it('are made once per name, however it is written', () => {
    const ca = processCa();
    expect(ca.contextFor('Once.Test')).toBe(ca.contextFor('once.test.'));
    expect(ca.contextFor('[0:0::1]')).toBe(ca.contextFor('::1'));
    expect(ca.contextFor('a.once.test')).not.toBe(ca.contextFor('b.once.test'));
    expect(ca.credentialsFor('once.test')).toBe(ca.credentialsFor('once.test'));
  });

  it('are kept for the 1000 names last used', () => {
    const ca = loadCa(caPem());
    const [used, unused] = [ca.credentialsFor('used.test'), ca.credentialsFor('unused.test')];
    for (let i = 0; i < 998; i++) ca.credentialsFor(`n${i}.test`);
    expect(ca.credentialsFor('used.test')).toBe(used);
    ca.credentialsFor('one-too-many.test');
    expect(ca.credentialsFor('used.test')).toBe(used);
    expect(ca.credentialsFor('unused.test')).not.toBe(unused);
  });

  it('are refused to what is neither a DNS name nor an address', () => {
    expect(() => processCa().contextFor('*.test')).toThrow(
      '"*.test" is not a name to make a certificate for',
    );
    expect(() => processCa().contextFor('')).toThrow('"" is not a name');
  });
});

describe('loadCa', () => {
  it('gives the same object for the same texts', () => {
    const pem = caPem();
    expect(loadCa(pem)).toBe(loadCa({ ...pem }));
    expect(loadCa(pem)).not.toBe(loadCa(caPem()));
  });

  const kinds: [kind: string, make: () => { publicKey: KeyObject; privateKey: KeyObject }][] = [
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ];
  for (const [kind, make] of kinds) {
    it(`signs with ${kind} keys`, () => {
      const pem = caPem(make());
      const ca = loadCa(pem);
      expect(ca.cert).toBe(pem.cert);
      expect(certificateOf(ca, 'app.test').verify(createPublicKey(pem.key))).toBe(true);
    });
  }

  it('finds certificate and key in one file that holds both, in old forms of key too', () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { cert } = caPem(keys);
    const file = `a note\n${keys.privateKey.export({ type: 'pkcs1', format: 'pem' })}${cert}`;
    expect(loadCa({ cert: file, key: file }).cert).toBe(cert);
    const ec = ecKeys();
    const old = ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString();
    const withParameters = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${old}`;
    expect(loadCa({ cert: caPem(ec).cert, key: withParameters }).spki).toMatch(/^[\w+/]{43}=$/);
  });

  const good = caPem();
  const secret = good.key.split('\n')[1] ?? '';
  const refused = (pem: { cert: string; key: string }): SluiceError => {
    try {
      loadCa(pem);
    } catch (error) {
      if (isSluiceError(error)) return error;
      throw error;
    }
    throw new Error('it was accepted');
  };
  const expectRefusal = (pem: { cert: string; key: string }, message: string | RegExp) => {
    const error = refused(pem);
    expect(error.code).toBe('BAD_CA');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain(secret);
  };

  it('names a certificate that is not PEM', () => {
    expectRefusal(
      { ...good, cert: './ca.pem' },
      'ca.cert: "./ca.pem" is not a certificate in PEM; give the text',
    );
    expectRefusal({ ...good, cert: '' }, 'ca.cert: a text of 0 characters is not a certificate in PEM');
  });

  it('tells when the two are swapped, without showing the key', () => {
    expectRefusal(
      { cert: good.key, key: good.cert },
      'ca.cert: a PEM block "PRIVATE KEY" is not a certificate in PEM',
    );
    expectRefusal(
      { ...good, key: good.cert },
      'ca.key: a PEM block "CERTIFICATE" is not a private key in PEM',
    );
  });

  it('names a key that is not PEM, without showing it', () => {
    expectRefusal({ ...good, key: secret }, /ca\.key: a text of \d+ characters is not a private key in PEM/);
    expectRefusal({ ...good, key: 'certs/ca.key' }, 'ca.key: "certs/ca.key" is not a private key in PEM');
  });

  it('names what is PEM but damaged', () => {
    const cert = good.cert.replace(/\n.{10}/, '\nAAAAAAAAAA');
    expectRefusal({ ...good, cert }, 'ca.cert: the certificate cannot be read: ');
    const key = good.key.replace(/\n.{10}/, '\nAAAAAAAAAA');
    expectRefusal({ ...good, key }, 'ca.key: the key cannot be read: ');
    expect(refused({ ...good, key }).cause).toBeInstanceOf(Error);
  });

  it('names a key that belongs to another certificate', () => {
    expectRefusal(
      { ...good, key: caPem().key },
      /ca\.key: the key does not match ca\.cert \(O=Sluice, CN=Test CA\)/,
    );
  });

  it('names an encrypted key', () => {
    const { privateKey } = ecKeys();
    const secrecy = { cipher: 'aes-256-cbc', passphrase: 'x', format: 'pem' } as const;
    for (const type of ['pkcs8', 'sec1'] as const) {
      const key = privateKey.export({ ...secrecy, type }).toString();
      expectRefusal({ ...good, key }, 'ca.key: the key is encrypted; give it decrypted');
    }
  });

  it('names a certificate that is not a CA', () => {
    const keys = ecKeys();
    const root = { name: Buffer.from('3000', 'hex'), keyId: Buffer.alloc(20), key: keys.privateKey };
    const cert = pemOf(makeLeaf({ text: 'leaf.test' }, keys.publicKey, root, validity()));
    const { key } = caPem(keys);
    expectRefusal(
      { cert, key },
      "ca.cert: O=Sluice, CN=leaf.test is not a CA's certificate; give one whose basicConstr",
    );
  });

  it('names a certificate that has expired, or does not hold yet', () => {
    const keys = ecKeys();
    const { key } = caPem(keys);
    const root = (from: number, to: number) =>
      pemOf(makeRoot('Test CA', keys.publicKey, keys.privateKey, validity(from, to)));
    expectRefusal(
      { cert: root(-30, -1), key },
      /ca\.cert: O=Sluice, CN=Test CA expired on .+ GMT; give a new one/,
    );
    expectRefusal(
      { cert: root(2, 30), key },
      /ca\.cert: .+ is not valid before .+ GMT; give one that is valid now/,
    );
  });

  it('names a key of a type that browsers do not take', () => {
    for (const [kind, { privateKey }] of [
      ['ed25519', generateKeyPairSync('ed25519')],
      ['ec (secp256k1)', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
      ['rsa-pss', generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ] as const) {
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      expectRefusal(
        { ...good, key },
        `ca.key: keys of type ${kind} are not accepted; give an RSA key, or an EC key on`,
      );
    }
  });

  it('names a key that is too weak for OpenSSL, before any handshake', () => {
    const weak = caPem(generateKeyPairSync('rsa', { modulusLength: 512 }));
    expectRefusal(weak, /ca: no certificates can be made with O=Sluice, CN=Test CA: .*too (small|weak)/);
  });
});
