import { clearTimeout, setTimeout } from '../clock.js';
import { SluiceError, withStackOf } from '../errors.js';
import type { StreamTransform } from '../flow/types.js';
import { DEFAULT_WAIT, MAX_MILLISECONDS } from '../options/values.js';
import type { Size } from '../size.js';
import { FaultReset } from '../stream/fault-reset.js';
import { keepsLength, whenInRule } from '../stream/transforms.js';
import { checkNames, readMilliseconds, readSize } from './arguments.js';
import { passUntil } from './offset.js';
import { unlessAborted } from './waiting.js';

/** A transform that holds a message at an offset, and what lets it go on. */
export interface Hold extends StreamTransform {
  /**
   * Resolves when the octets before the offset have been handed on, also if the message may go on already. Rejects with
   * SluiceError WAIT_ENDED if they never will be: the body was shorter, its flow failed, or the proxy was closed; and with
   * WAIT_TIMEOUT if they were not within `timeout` from when it was first asked for. It may be left alone: nobody is told
   * of a rejection that is not looked at. Its stack is that of whoever asked first.
   */
  readonly reached: Promise<void>;
  /** Lets the rest pass. Called before, the message will not be held. */
  release(): void;
  /** Resets the connections, as `resetAfter` does, once the offset is reached. */
  reset(): void;
}

/**
 * Holds a message after `size` octets until the test says how it goes on, so that what a page shows half-way can be
 * looked at. What comes after is not read meanwhile, so that the sender is stopped, too. Of `release()` and `reset()`
 * the first call decides. A body of exactly `size` octets is held before its end. Content-Length stays.
 *
 * A hold is for one message, the first that comes to it: later ones pass untouched, among them what a page sends again
 * after a `reset()`.
 *
 * @param size octets, or digits with `k`, `m` or `g`
 * @param options `timeout` of `reached`, in milliseconds; 0 waits for ever. Default that of the waits of the proxy that it
 * is in a rule of: 30 000, or what its fixture says (`waitTimeout`)
 * @throws SluiceError BAD_OPTION
 * @example
 * const h = hold('1m');
 * proxy.stream('**' + '/upload', { request: h });
 * await page.getByRole('button', { name: 'Upload' }).click();
 * await h.reached;
 * await expect(page.getByRole('progressbar')).toBeVisible();
 * h.release();
 */
export function hold(size: Size, options: { timeout?: number } = {}): Hold {
  const octets = readSize('hold', size);
  checkNames('hold', options, ['timeout']);
  const own =
    options.timeout === undefined ? undefined : readMilliseconds('hold', 'timeout', options.timeout);
  let ofRule: number | undefined;
  let taken = false;
  let passed = 0;
  let decide: (what: 'release' | 'reset') => void = () => undefined;
  const decision = new Promise<'release' | 'reset'>((resolve) => {
    decide = resolve;
  });
  let reach = () => {};
  let reject: (error: Error) => void = () => undefined;
  const reached = new Promise<void>((resolve, refuse) => {
    reach = resolve;
    reject = refuse;
  });
  reached.catch(() => undefined);
  /** Made where somebody waits: the first. */
  let asked: Error | undefined;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    if (failure !== undefined) return;
    failure = asked === undefined ? error : withStackOf(error, asked, 0);
    reject(failure);
  };
  const miss = (why: string, cause?: unknown) =>
    fail(new SluiceError('WAIT_ENDED', `hold: ${why}`, { cause }));

  const late = (timeout: number) => {
    const what = taken ? `its message came to ${passed} of ${octets} bytes` : 'no message came to it';
    const why = taken || ofRule !== undefined ? '' : ': it is in no rule of proxy.stream()';
    return new SluiceError('WAIT_TIMEOUT', `hold: ${what} within ${timeout} ms${why}`);
  };
  /** Somebody waits. @param origin made where */
  const wait = (origin: Error) => {
    if (asked !== undefined) return;
    asked = origin;
    if (failure !== undefined) withStackOf(failure, origin, 0);
    const timeout = own ?? ofRule ?? DEFAULT_WAIT;
    if (timeout === 0 || timeout > MAX_MILLISECONDS) return;
    const timer = setTimeout(() => fail(late(timeout)), timeout);
    reached.catch(() => undefined).finally(() => clearTimeout(timer));
  };

  const transform = keepsLength((pieces, { signal }) => {
    if (taken) return pieces;
    taken = true;
    return held(pieces, signal);
  });

  async function* held(pieces: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
    const failed = () => miss(`its message failed after ${passed} of ${octets} bytes`, signal.reason);
    signal.addEventListener('abort', failed, { once: true });
    try {
      const passing = passUntil(pieces, octets, async (): Promise<'go on'> => {
        reach();
        if ((await unlessAborted(decision, signal)) === 'release') return 'go on';
        throw new FaultReset(`hold: the connections were reset on purpose after ${octets} bytes`);
      });
      for await (const piece of passing) {
        passed += piece.length;
        yield piece;
      }
    } catch (error) {
      miss(`its message failed after ${passed} of ${octets} bytes`, error);
      throw error;
    } finally {
      signal.removeEventListener('abort', failed);
      miss(`its body ended after ${passed} of ${octets} bytes`);
    }
  }

  whenInRule(transform, {
    added: (waitTimeout) => {
      ofRule = waitTimeout;
    },
    closed: (why) => miss(`${why} before its message came to ${octets} bytes`),
  });
  return Object.defineProperty(
    Object.assign(transform, {
      release: () => decide('release'),
      reset: () => decide('reset'),
    }),
    'reached',
    {
      get: () => {
        wait(new Error());
        return reached;
      },
    },
  ) as Hold;
}
