/**
 * X.509 certificates (RFC 5280) made and read: ASN.1 by node-forge, keys and signatures by node:crypto. In and out
 * goes DER.
 * @module
 */
import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import asn1, { type Asn1 } from 'node-forge/lib/asn1.js';
import type { HostName } from './hostname.js';

const { Class, Type } = asn1;

/** Who signs: what a certificate copies from its issuer, and the key. */
export interface Issuer {
  /** The issuer's distinguished name. */
  readonly name: Buffer;
  /** Its subject key identifier; certificates repeat it as their authority key identifier. */
  readonly keyId: Buffer;
  readonly key: KeyObject;
}

/** What other certificates and clients need to know of one. */
export interface CertificateFacts {
  /** The subject's distinguished name. */
  readonly name: Buffer;
  /** The SubjectPublicKeyInfo, with the very octets it has in the certificate. */
  readonly spki: Buffer;
  /** The subject key identifier, made up if there is none. */
  readonly keyId: Buffer;
}

/** From when to when a certificate holds, to the second. */
export interface Validity {
  readonly from: Date;
  readonly to: Date;
}

/** Makes a CA certificate that signs itself. */
export function makeRoot(
  commonName: string,
  publicKey: KeyObject,
  key: KeyObject,
  validity: Validity,
): Buffer {
  const spki = spkiOf(publicKey);
  const name = distinguishedName(commonName);
  const keyId = keyIdOf(spki);
  return signed({ name: der(name), keyId, key }, name, spki, validity, [
    // CA, with nothing but leaves below it.
    extension('2.5.29.19', true, sequence(universal(Type.BOOLEAN, '\xff'), universal(Type.INTEGER, '\0'))),
    // keyCertSign and cRLSign; the first octet counts unused bits.
    extension('2.5.29.15', true, universal(Type.BITSTRING, '\x01\x06')),
    extension('2.5.29.14', false, octets(keyId)),
  ]);
}

/** Makes a server certificate for one name. */
export function makeLeaf(host: HostName, publicKey: KeyObject, issuer: Issuer, validity: Validity): Buffer {
  const spki = spkiOf(publicKey);
  // A common name ends at 64 characters (RFC 5280 appendix A.1); clients read only the alternative name.
  const name = distinguishedName(host.text.length <= 64 ? host.text : undefined);
  const alternative = host.address ? context(7, host.address.toString('latin1')) : context(2, host.text);
  return signed(issuer, name, spki, validity, [
    extension('2.5.29.19', true, sequence()),
    // digitalSignature, all that an ECDSA key is asked for in TLS.
    extension('2.5.29.15', true, universal(Type.BITSTRING, '\x07\x80')),
    // serverAuth.
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(alternative)),
    extension('2.5.29.14', false, octets(keyIdOf(spki))),
    extension('2.5.29.35', false, sequence(context(0, issuer.keyId.toString('latin1')))),
  ]);
}

/** Reads from a certificate what its leaves and its clients need. */
export function readCertificate(certificate: Buffer): CertificateFacts {
  const tbs = children(children(parse(certificate))[0]);
  // The version, [0], is absent from version 1.
  const offset = isContext(tbs[0], 0) ? 1 : 0;
  const [name, spki] = [tbs[offset + 4], tbs[offset + 5]];
  if (name === undefined || spki === undefined)
    throw new Error('the certificate has no subject or no public key');
  const extensions = tbs.find((field) => isContext(field, 3));
  return {
    name: der(name),
    spki: der(spki),
    keyId: keyIdIn(children(children(extensions)[0])) ?? keyIdOf(spki),
  };
}

/** Whether certificates can be signed with `key`. */
export function canSign(key: KeyObject): boolean {
  return algorithmFor(key) !== undefined;
}

/** What a key signs with: the hash for node:crypto, and the algorithm identifier that says so. */
function algorithmFor(key: KeyObject): { hash: string; identifier: Asn1 } | undefined {
  if (key.asymmetricKeyType === 'rsa') {
    // RFC 4055 section 5: NULL parameters.
    const identifier = sequence(oid('1.2.840.113549.1.1.11'), universal(Type.NULL, ''));
    return { hash: 'sha256', identifier };
  }
  if (key.asymmetricKeyType !== 'ec') return undefined;
  // RFC 5758 section 3.2: no parameters. The hash as long as the curve.
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return { hash: 'sha256', identifier: sequence(oid('1.2.840.10045.4.3.2')) };
    case 'secp384r1':
      return { hash: 'sha384', identifier: sequence(oid('1.2.840.10045.4.3.3')) };
    case 'secp521r1':
      return { hash: 'sha512', identifier: sequence(oid('1.2.840.10045.4.3.4')) };
    default:
      return undefined;
  }
}

function signed(issuer: Issuer, subject: Asn1, spki: Asn1, validity: Validity, extensions: Asn1[]): Buffer {
  const algorithm = algorithmFor(issuer.key);
  if (algorithm === undefined) throw new Error('certificates cannot be signed with this kind of key');
  const tbs = sequence(
    context(0, [universal(Type.INTEGER, '\x02')]),
    universal(Type.INTEGER, serialNumber()),
    algorithm.identifier,
    parse(issuer.name),
    sequence(time(validity.from), time(validity.to)),
    subject,
    spki,
    context(3, [sequence(...extensions)]),
  );
  const signature = sign(algorithm.hash, der(tbs), issuer.key).toString('latin1');
  return der(sequence(tbs, algorithm.identifier, universal(Type.BITSTRING, `\0${signature}`)));
}

/** 16 random octets: unique, positive and with no leading zero, as DER wants integers (RFC 5280 section 4.1.2.2). */
function serialNumber(): string {
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f || 1;
  return serial.toString('latin1');
}

/** RFC 5280 section 4.1.2.5: UTCTime up to 2049, GeneralizedTime from then on. */
function time(date: Date): Asn1 {
  return date.getUTCFullYear() < 2050
    ? universal(Type.UTCTIME, asn1.dateToUtcTime(date))
    : universal(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

function distinguishedName(commonName: string | undefined): Asn1 {
  const attribute = (type: string, text: string) =>
    universal(Type.SET, [sequence(oid(type), universal(Type.UTF8, text))]);
  const organization = attribute('2.5.4.10', 'Sluice');
  return commonName === undefined
    ? sequence(organization)
    : sequence(organization, attribute('2.5.4.3', commonName));
}

function spkiOf(publicKey: KeyObject): Asn1 {
  return parse(publicKey.export({ type: 'spki', format: 'der' }));
}

/** RFC 7093 section 2, method 1: the first 160 bits of the key's SHA-256. */
function keyIdOf(spki: Asn1): Buffer {
  const bits = children(spki)[1]?.value;
  if (typeof bits !== 'string') throw new Error('the public key is not a bit string');
  return createHash('sha256').update(bits.slice(1), 'latin1').digest().subarray(0, 20);
}

function keyIdIn(extensions: Asn1[]): Buffer | undefined {
  for (const extension of extensions) {
    const [type, ...rest] = children(extension);
    if (typeof type?.value !== 'string' || asn1.derToOid(type.value) !== '2.5.29.14') continue;
    // After a `critical` flag, if there is one, an octet string that holds an octet string.
    const outer = rest.at(-1)?.value;
    const inner = typeof outer === 'string' ? parse(Buffer.from(outer, 'latin1')).value : undefined;
    if (typeof inner === 'string') return Buffer.from(inner, 'latin1');
  }
  return undefined;
}

function extension(type: string, critical: boolean, value: Asn1): Asn1 {
  const flag = critical ? [universal(Type.BOOLEAN, '\xff')] : [];
  return sequence(oid(type), ...flag, octets(der(value)));
}

function universal(type: number, value: string | Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, type, Array.isArray(value), value);
}

function context(tag: number, value: string | Asn1[]): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, Array.isArray(value), value);
}

function sequence(...values: Asn1[]): Asn1 {
  return universal(Type.SEQUENCE, values);
}

function octets(value: Buffer): Asn1 {
  return universal(Type.OCTETSTRING, value.toString('latin1'));
}

function oid(dotted: string): Asn1 {
  return universal(Type.OID, asn1.oidToDer(dotted).getBytes());
}

function isContext(value: Asn1 | undefined, tag: number): boolean {
  return value?.tagClass === Class.CONTEXT_SPECIFIC && value.type === tag;
}

function children(value: Asn1 | undefined): Asn1[] {
  return Array.isArray(value?.value) ? value.value : [];
}

function parse(bytes: Buffer): Asn1 {
  // Bit strings stay octets: forge would guess at what they hold.
  return asn1.fromDer(bytes.toString('latin1'), { decodeBitStrings: false });
}

function der(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}
