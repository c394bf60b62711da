import { SluiceError, shown } from './errors.js';

/** Octets: a number, or digits with `k`, `m` or `g` (1024-based, either case): `'3m'` is 3 145 728. */
export type Size = number | string;

/** What a {@link Size} may be, for messages. */
export const SIZE_ACCEPTED = "a number of bytes or digits with k, m or g, as in 65536, '64k', '3m', '1g'";

/**
 * Reads a {@link Size}.
 * @param name what to call it in the error
 * @throws SluiceError BAD_OPTION for anything but a whole number of octets: `'3mb'`, `'1.5m'`, `''`, `-1`
 */
export function parseSize(value: unknown, name = 'size'): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  const match = typeof value === 'string' ? /^(\d+)([kmg]?)$/i.exec(value) : null;
  if (match?.[1] !== undefined) {
    const factor = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2]?.toLowerCase() ?? ''] ?? 1;
    const size = Number(match[1]) * factor;
    if (Number.isSafeInteger(size)) return size;
  }
  throw new SluiceError('BAD_OPTION', `${name}: ${shown(value)} is not a size; accepted is ${SIZE_ACCEPTED}`);
}
