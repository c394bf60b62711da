/**
 * What options' values are checked with.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { types } from 'node:util';
import { isError, messageOf, SluiceError, shown } from '../errors.js';
import { nearest } from '../nearest.js';

export const isObject = (v: unknown): v is Record<string, unknown> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
export const isPort = (v: unknown): v is number =>
  typeof v === 'number' && Number.isInteger(v) && v >= 0 && v <= 65535;
/** More makes a timer of Node's fire at once. */
export const MAX_MILLISECONDS = 2 ** 31 - 1;
/** How long waits wait where nothing says otherwise, in milliseconds. */
export const DEFAULT_WAIT = 30_000;
export const isMilliseconds = (v: unknown): v is number =>
  typeof v === 'number' && v > 0 && v <= MAX_MILLISECONDS;
export const isStrings = (v: unknown): v is string[] =>
  Array.isArray(v) && v.every((s) => typeof s === 'string');

export function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}

/** Whether a text is PEM with at least one certificate, and each of them can be read. */
export function isCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.length > 0 && blocks.every((block) => isCertificate(block));
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch (error) {
    if (isError(error)) return false;
    throw error;
  }
}

/** Checks that an object has no other parts than these, and only text. @throws SluiceError BAD_OPTION, without their values */
export function checkTextParts(v: Record<string, unknown>, parts: readonly string[], name: string): void {
  for (const [part, value] of Object.entries(v)) {
    if (parts.includes(part) && (value === undefined || typeof value === 'string')) continue;
    const near = nearest(part, parts);
    const hint = near === undefined ? `give ${parts.join(', ')}` : `give ${near}`;
    const problem = parts.includes(part)
      ? `${part} is not text; give it as text`
      : `unknown part ${shown(part)}; ${hint}`;
    throw new SluiceError('BAD_OPTION', `${name}: ${problem}`);
  }
}

/** A pattern of `host:port`. @throws SluiceError BAD_OPTION with what was given */
export function hostPattern(pattern: unknown, name: string): RegExp {
  try {
    // What is found does not depend on what was looked for before.
    if (types.isRegExp(pattern)) return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    if (typeof pattern === 'string' && pattern !== '') return new RegExp(pattern, 'i');
  } catch (cause) {
    const why = `${shown(pattern)} is no regular expression: ${messageOf(cause)}`;
    throw new SluiceError('BAD_OPTION', `${name}: ${why}; give one, as in '^db[.]test:5432$'`, { cause });
  }
  const accepted = 'give an array of RegExps or regular expressions as text';
  throw new SluiceError('BAD_OPTION', `${name}: ${shown(pattern)} is not accepted; ${accepted}`);
}
