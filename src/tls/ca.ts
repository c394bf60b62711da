/**
 * The CA whose certificates the proxy shows to clients.
 * @module
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { systemTime } from '../clock.js';
import { messageOf, SluiceError, shown } from '../errors.js';
import { type HostName, readHostName } from './hostname.js';
import { canSign, type Issuer, makeLeaf, makeRoot, readCertificate, type Validity } from './x509.js';

/** How many names a CA keeps certificates for. */
const NAMES_KEPT = 1000;
/** How many CAs of users are kept. */
const CAS_KEPT = 16;

const DAY = 24 * 60 * 60 * 1000;

/** What `tls.createServer`, and all that takes its options, needs to show a certificate. PEM. */
export interface Credentials {
  /** The leaf, then the CA's chain. */
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority and the certificates it has made so far. Made by {@link processCa} and {@link loadCa}. */
export class CertificateAuthority {
  /** The CA's certificate, PEM, followed by those it was given with. Clients are to trust it. */
  readonly cert: string;
  /** SHA-256, base64, of its SubjectPublicKeyInfo: for Chromium's `--ignore-certificate-errors-spki-list`. */
  readonly spki: string;
  readonly #issuer: Issuer;
  readonly #credentials = new Map<string, Credentials>();
  readonly #contexts = new Map<string, SecureContext>();

  /** @internal */
  constructor(cert: string, key: KeyObject) {
    const { name, spki, keyId } = readCertificate(new X509Certificate(cert).raw);
    this.cert = cert;
    this.spki = createHash('sha256').update(spki).digest('base64');
    this.#issuer = { name, keyId, key };
  }

  /**
   * A context with a certificate for one name, for `SNICallback`. Signed on the spot at the first call, which takes
   * a millisecond or two; kept for the 1000 names last asked for.
   * @param name a DNS name or an IP address
   * @throws SluiceError BAD_OPTION if no certificate can be made for the name
   */
  contextFor(name: string): SecureContext {
    const host = readHostName(name);
    return recall(this.#contexts, host.text, NAMES_KEPT, () =>
      createSecureContext(this.#credentialsFor(host)),
    );
  }

  /**
   * The same certificate as PEM, for `tls.createServer`: it takes no finished context as its default, the one that
   * clients without SNI (all that ask for an IP address) get.
   * @throws SluiceError BAD_OPTION if no certificate can be made for the name
   */
  credentialsFor(name: string): Credentials {
    return this.#credentialsFor(readHostName(name));
  }

  #credentialsFor(host: HostName): Credentials {
    return recall(this.#credentials, host.text, NAMES_KEPT, () => {
      const { publicKey, pem } = leafKey();
      const leaf = toPem(makeLeaf(host, publicKey, this.#issuer, validFor(365)));
      return { cert: leaf + this.cert, key: pem };
    });
  }
}

/** One place for all copies of this package: a browser trusts one of them, and meets the proxies of any. */
const PROCESS_CA = Symbol.for('sluice.processCa.1');

/** The process's own CA: made at the first call, kept in memory only. */
export function processCa(): CertificateAuthority {
  const shared = globalThis as { [PROCESS_CA]?: CertificateAuthority };
  shared[PROCESS_CA] ??= makeCa();
  return shared[PROCESS_CA];
}

const loaded = new Map<string, CertificateAuthority>();

/**
 * A CA of the user's, with an RSA key or one on P-256, P-384 or P-521. The same texts give the same object.
 * @param pem `cert` may go on with the certificates above the CA's; of either, what else the file holds is passed over
 * @throws SluiceError BAD_CA saying what is wrong with which of the two
 */
export function loadCa(pem: { cert: string; key: string }): CertificateAuthority {
  return recall(loaded, `${pem.cert}\n${pem.key}`, CAS_KEPT, () => checkedCa(pem.cert, pem.key));
}

function makeCa(): CertificateAuthority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // Names differ, so that a client that trusts several processes' CAs can tell them apart.
  const name = `Sluice CA ${randomBytes(4).toString('hex')}`;
  return new CertificateAuthority(toPem(makeRoot(name, publicKey, privateKey, validFor(3650))), privateKey);
}

function checkedCa(certText: string, keyText: string): CertificateAuthority {
  const blocks = certText.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  const cert = blocks?.[0];
  if (blocks === null || cert === undefined) {
    throw bad(
      `ca.cert: ${described(certText)} is not a certificate in PEM; ${HOW.replace('*', 'CERTIFICATE')}`,
    );
  }
  const parsed = attempt('ca.cert: the certificate cannot be read', () => new X509Certificate(cert));
  const key = readKey(keyText);
  const subject = parsed.subject.replaceAll('\n', ', ');
  if (!parsed.ca) {
    throw bad(
      `ca.cert: ${subject} is not a CA's certificate; give one whose basicConstraints say CA:TRUE, and whose ` +
        'keyUsage, if it has one, allows keyCertSign',
    );
  }
  if (!parsed.checkPrivateKey(key)) {
    throw bad(
      `ca.key: the key does not match ca.cert (${subject}); give the private key of its first certificate`,
    );
  }
  if (Date.parse(parsed.validTo) < systemTime())
    throw bad(`ca.cert: ${subject} expired on ${parsed.validTo}; give a new one`);
  if (Date.parse(parsed.validFrom) > systemTime()) {
    throw bad(`ca.cert: ${subject} is not valid before ${parsed.validFrom}; give one that is valid now`);
  }
  // OpenSSL also refuses what it holds to be weak, and would do so in the middle of a handshake.
  return attempt(`ca: no certificates can be made with ${subject}`, () => {
    const ca = new CertificateAuthority(`${blocks.join('\n')}\n`, key);
    ca.contextFor('localhost');
    return ca;
  });
}

function readKey(text: string): KeyObject {
  const block = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/.exec(text);
  if (block === null) {
    throw bad(`ca.key: ${described(text)} is not a private key in PEM; ${HOW.replace('*', 'PRIVATE KEY')}`);
  }
  const [pem, label] = block;
  if (label?.includes('ENCRYPTED') || pem.includes('Proc-Type: 4,ENCRYPTED')) {
    throw bad('ca.key: the key is encrypted; give it decrypted (openssl pkey -in FILE)');
  }
  const key = attempt('ca.key: the key cannot be read', () => createPrivateKey(pem));
  if (!canSign(key)) {
    const { namedCurve } = key.asymmetricKeyDetails ?? {};
    const kind =
      namedCurve === undefined ? key.asymmetricKeyType : `${key.asymmetricKeyType} (${namedCurve})`;
    throw bad(
      `ca.key: keys of type ${kind} are not accepted; give an RSA key, or an EC key on P-256, P-384 or P-521`,
    );
  }
  return key;
}

const HOW = 'give the text of a file, not its name, with a block that begins -----BEGIN *-----';

/** Says what a text is without quoting what may be a secret. */
function described(text: string): string {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  if (label !== undefined) return `a PEM block ${shown(label)}`;
  return text.length <= 120 && /^[\w ./\\:~-]*\.\w{1,5}$/.test(text)
    ? shown(text)
    : `a text of ${text.length} characters`;
}

function attempt<T>(problem: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw bad(
      `${problem}: ${messageOf(cause)}; check that the file is whole and made for TLS of today`,
      cause,
    );
  }
}

function bad(message: string, cause?: unknown): SluiceError {
  return new SluiceError('BAD_CA', message, cause === undefined ? undefined : { cause });
}

let leafKeyMade: { publicKey: KeyObject; pem: string } | undefined;

/** The key of every leaf: making one a name would cost time and protect nothing. */
function leafKey(): { publicKey: KeyObject; pem: string } {
  if (leafKeyMade === undefined) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    leafKeyMade = { publicKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }
  return leafKeyMade;
}

/** From yesterday, for clients whose clock is behind. Leaves must stay within 397 days, or browsers refuse them. */
function validFor(days: number): Validity {
  const today = systemTime();
  return { from: new Date(today - DAY), to: new Date(today + days * DAY) };
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** What `cache` holds for `key`, else what `make` gives. The entry last used longest ago goes when there are too many. */
function recall<T>(cache: Map<string, T>, key: string, limit: number, make: () => T): T {
  const value = cache.get(key) ?? make();
  cache.delete(key);
  cache.set(key, value);
  const oldest = cache.keys().next().value;
  if (cache.size > limit && oldest !== undefined) cache.delete(oldest);
  return value;
}
