import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { isError } from '../errors.js';

/** What this process trusts without a proxy, PEM. */
export function usualRoots(): string[] {
  return [...ownExtras(), ...rootCertificates];
}

/** What this process trusts by NODE_EXTRA_CA_CERTS, PEM: a child that is given another file would not. Empty if it names none that can be read. */
export function ownExtras(): string[] {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  if (file === undefined || file === '') return [];
  try {
    return [readFileSync(file, 'utf8')];
  } catch (error) {
    // Node itself only warns of such a file, and starts.
    if (isError(error) && 'code' in error) return [];
    throw error;
  }
}
