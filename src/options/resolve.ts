/**
 * Options checked against the table.
 * @module
 */
import { SluiceError, shown } from '../errors.js';
import { refuseUnknown } from '../nearest.js';
import { OPTIONS } from './table.js';
import type { ProxyOptions, ResolvedOptions } from './types.js';
import { isObject } from './values.js';

/**
 * Checks options and fills in defaults.
 * @throws SluiceError UNKNOWN_OPTION or BAD_OPTION, naming the value and what is accepted
 */
export function resolveOptions(options: ProxyOptions = {}): ResolvedOptions {
  if (!isObject(options)) throw new SluiceError('BAD_OPTION', `options: ${shown(options)} is not an object`);
  const names = Object.keys(OPTIONS) as (keyof ResolvedOptions)[];
  refuseUnknown(Object.keys(options), names);
  const resolve = <K extends keyof ResolvedOptions>(name: K): ResolvedOptions[K] => {
    const spec = OPTIONS[name];
    const value = options[name];
    if (value === undefined) return spec.default;
    const read = spec.read(value, name);
    if (read === undefined) {
      const given = spec.secret === true ? 'the value given' : shown(value);
      throw new SluiceError('BAD_OPTION', `${name}: ${given} is not accepted; give ${spec.accepted}`);
    }
    return read;
  };
  return Object.fromEntries(names.map((name) => [name, resolve(name)])) as unknown as ResolvedOptions;
}

/** Options that only hold from a proxy's start. */
const FIXED: readonly (keyof ProxyOptions)[] = [
  'host',
  'port',
  'ca',
  'mode',
  'proxyAuth',
  'upstream',
  'stickyCookie',
  'stickyAuth',
];

/**
 * Changes options that are in use. `hosts` are left to whoever maps them.
 * @throws SluiceError UNKNOWN_OPTION, or BAD_OPTION, also for one that only holds from a proxy's start
 */
export function changeOptions(current: ResolvedOptions, options: ProxyOptions): void {
  const resolved = resolveOptions(options);
  for (const name of Object.keys(options) as (keyof ProxyOptions)[]) {
    if (options[name] === undefined) continue;
    if (FIXED.includes(name)) {
      throw new SluiceError(
        'BAD_OPTION',
        `${name}: the proxy runs already; give it where the proxy is started`,
      );
    }
    Object.assign(current, { [name]: resolved[name] });
  }
}
