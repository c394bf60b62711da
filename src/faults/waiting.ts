/**
 * Waits that end with the message: none of them outlives it, and no timer is left behind.
 * @module
 */
import { clearTimeout, performance, setTimeout } from '../clock.js';

/** Waits until {@link performance} says `time`, never less. @throws the reason of `signal` once that is aborted */
export async function waitUntil(time: number, signal: AbortSignal): Promise<void> {
  // A timer of Node's counts in whole milliseconds, and may come a little early.
  for (let left = time - performance.now(); left > 0; left = time - performance.now()) {
    await timer(Math.ceil(left), signal);
  }
}

function timer(ms: number, signal: AbortSignal): Promise<void> {
  let pending: NodeJS.Timeout | undefined;
  const passed = new Promise<void>((resolve) => {
    pending = setTimeout(resolve, ms);
  });
  return unlessAborted(passed, signal).finally(() => clearTimeout(pending));
}

/** What `promise` gives. @throws the reason of `signal`, at once, if that is or gets aborted before */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Never gives anything. @throws the reason of `signal` once that is aborted */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return unlessAborted(new Promise<never>(() => undefined), signal);
}
