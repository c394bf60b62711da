/**
 * Time as the engine counts it. Test frameworks replace the timers while a test plays with time; a proxy that counted
 * in theirs would stand still. So these are Node's own, kept from when this module was loaded.
 * @module
 */
import { performance as nodes } from 'node:perf_hooks';
import timers from 'node:timers';

export const { clearImmediate, clearInterval, clearTimeout, setImmediate } = timers;

type Timers = Pick<typeof timers, 'setInterval' | 'setTimeout'>;
type Callback = (...args: unknown[]) => void;

const original: Timers = { setInterval: timers.setInterval, setTimeout: timers.setTimeout };
let current = original;

export const setTimeout = ((callback: Callback, ms?: number, ...args: unknown[]) =>
  current.setTimeout(callback, ms, ...args)) as typeof timers.setTimeout;
export const setInterval = ((callback: Callback, ms?: number, ...args: unknown[]) =>
  current.setInterval(callback, ms, ...args)) as typeof timers.setInterval;

/** Lets the engine's own tests play with time. @returns what puts Node's back @internal */
export function replaceTimers(replacement: Timers): () => void {
  current = replacement;
  return () => {
    current = original;
  };
}

export const nextTick: typeof process.nextTick = process.nextTick.bind(process);
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask.bind(globalThis);

/** Milliseconds that no change of the system's time moves. */
export const performance = { timeOrigin: nodes.timeOrigin, now: nodes.now.bind(nodes) };

/** Milliseconds since the epoch, as the system's clock has them: for dates. What is recorded has `now` of flow/transfer.ts. */
export const systemTime: () => number = Date.now.bind(Date);
