/**
 * CAs and certificates for tests.
 * @module
 */
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import type { CertificateAuthority } from '../ca.js';
import { makeRoot, type Validity } from '../x509.js';

export const DAY = 24 * 60 * 60 * 1000;

interface Keys {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

export function ecKeys(): Keys {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** In days from now. */
export function validity(from = -1, to = 30): Validity {
  return { from: new Date(Date.now() + from * DAY), to: new Date(Date.now() + to * DAY) };
}

export function pemOf(der: Buffer): string {
  return new X509Certificate(der).toString();
}

/** A CA as a user would give it. */
export function caPem({ publicKey, privateKey }: Keys = ecKeys()): { cert: string; key: string } {
  return {
    cert: pemOf(makeRoot('Test CA', publicKey, privateKey, validity())),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

export function certificateOf(ca: CertificateAuthority, name: string): X509Certificate {
  return new X509Certificate(ca.credentialsFor(name).cert);
}
