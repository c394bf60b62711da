import { replaceTimers } from '../clock.js';

/** The engine's timers in a test's hand: they come when it says so, whatever they were set to. */
export interface HeldTimers extends Disposable {
  /** Lets all that are pending come, once. */
  fire(): void;
}

type Callback = (...args: unknown[]) => void;

/** Holds the engine's timeouts and intervals that are set from now on, until it is disposed of. */
export function holdTimers(): HeldTimers {
  const timeouts = new Map<NodeJS.Timeout, () => void>();
  const intervals = new Map<NodeJS.Timeout, () => void>();
  const into =
    (pending: Map<NodeJS.Timeout, () => void>) =>
    (callback: Callback, _ms?: number, ...args: unknown[]): NodeJS.Timeout => {
      // A real one that does not come, so that it can be cleared, and told to keep no process alive.
      const timer = setTimeout(() => undefined, 2 ** 31 - 1).unref();
      pending.set(timer, () => callback(...args));
      return timer;
    };
  const restore = replaceTimers({
    setInterval: into(intervals) as typeof setInterval,
    setTimeout: into(timeouts) as typeof setTimeout,
  });
  return {
    fire() {
      const due = [...timeouts, ...intervals].filter(([timer]) => !isCleared(timer));
      for (const [timer] of timeouts) clearTimeout(timer);
      timeouts.clear();
      for (const [, come] of due) come();
    },
    [Symbol.dispose]: restore,
  };
}

/** Node marks timers that have been cleared. */
function isCleared(timer: NodeJS.Timeout): boolean {
  return (timer as unknown as { _destroyed: boolean })._destroyed;
}
