/**
 * What faults are given, checked: a fault that was asked for wrongly is told when it is made, not when a message comes.
 * @module
 */
import { SluiceError, shown } from '../errors.js';
import { MAX_MILLISECONDS } from '../options/values.js';
import { parseSize, type Size } from '../size.js';

/** @throws SluiceError BAD_OPTION */
export function refuse(fault: string, what: string, value: unknown, accepted: string): never {
  throw new SluiceError('BAD_OPTION', `${fault}: ${what} ${shown(value)} is not accepted; give ${accepted}`);
}

/** A count of octets. @throws SluiceError BAD_OPTION */
export function readSize(fault: string, value: Size): number {
  return parseSize(value, fault);
}

/** One of at least one octet. @throws SluiceError BAD_OPTION */
export function readPositiveSize(fault: string, what: string, value: Size): number {
  const size = readSize(fault, value);
  return size > 0 ? size : refuse(fault, what, value, 'at least 1');
}

/** @throws SluiceError BAD_OPTION */
export function readMilliseconds(fault: string, what: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= MAX_MILLISECONDS) return value;
  return refuse(fault, what, value, `milliseconds from 0 to ${MAX_MILLISECONDS}`);
}

/** @throws SluiceError BAD_OPTION */
export function readSeed(fault: string, value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number;
  return refuse(fault, 'seed', value, 'a whole number');
}

/** Refuses names that are not known: a misspelt one would be a fault that is not there. @throws SluiceError BAD_OPTION */
export function checkNames(fault: string, options: object, names: readonly string[]): void {
  const accepted = `{ ${names.join(', ')} }`;
  if (typeof options !== 'object' || options === null) refuse(fault, 'options', options, accepted);
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) refuse(fault, 'option', unknown, accepted);
}
