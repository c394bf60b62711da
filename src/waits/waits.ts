import { clearTimeout, setTimeout } from '../clock.js';
import { isError, isSluiceError, messageOf, SluiceError, shown, withStackOf } from '../errors.js';
import type { FlowMoment } from '../exchange/services.js';
import type { FlowRecord } from '../flow/flow.js';
import type { TcpFlow } from '../flow/tcp-types.js';
import type { HttpFlow } from '../flow/types.js';
import { DEFAULT_WAIT, MAX_MILLISECONDS } from '../options/values.js';

/** Options of the waits. */
export interface Wait {
  /** Milliseconds; 0 waits for ever. Default that of the proxy: 30 000, or what its fixture says (`waitTimeout`). */
  timeout?: number;
  /** Gives up waiting when aborted. */
  signal?: AbortSignal;
  /** Only flows that began after this one count. Default: every flow that is recorded. */
  after?: HttpFlow | TcpFlow;
}

/** What a wait waits for. */
export interface WaitGoal<T, F = FlowRecord> {
  /** For messages: `waitForFlow('**' + '/upload')`. */
  what: string;
  /** What to say when the time is over: `no such flow`. */
  late: string;
  /** Default: every flow. */
  match?: { test(flow: F): boolean | Promise<boolean> };
  /** Whether the flow has come as far as is waited for. May throw, as `match` may. */
  reached(flow: F): boolean;
  /** What the wait gives, of a flow that matches and has come so far. */
  result(flow: F): T;
  /** Frames of ours between {@link Waits.for} and whoever waits; their own line and that of `for` not counted. */
  frames: number;
  /** What was seen instead, for messages. */
  seen(): string;
  /** The wait is in vain once this holds of a matching flow: it is rejected with what is returned. */
  failed?(flow: F): SluiceError | undefined;
}

/** A promise that knows whether anybody has asked for its outcome. */
class Asked<T> extends Promise<T> {
  asked = false;

  /** What is chained to it is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: `await` tells of itself by calling this, and by nothing else.
  override then<R = T, E = never>(
    fulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    rejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    this.asked = true;
    return super.then(fulfilled, rejected);
  }
}

/** A wait that was still pending when it was ended, or had failed by then and nobody had asked. */
export interface EndedWait {
  /** What was called: `waitForFlow('**' + '/upload')`. */
  call: string;
  error: Error;
  /** Somebody had asked for its outcome, with `await` or otherwise. */
  asked: boolean;
}

interface Pending<F> {
  readonly goal: WaitGoal<unknown, F>;
  /** Returns a promise if the match is judged asynchronously. */
  look(flow: F): Promise<void> | undefined;
  reject(error: Error): void;
  wasAsked(): boolean;
}

/** Waits for what goes on in flows. Past flows count, and pending waits are rejected when the proxy or the test ends. */
export class Waits<F extends { readonly id: string } = FlowRecord, M = FlowMoment> {
  readonly #pending = new Set<Pending<F>>();
  /** Those that failed before anybody had asked for their outcome. */
  #unheard: { call: string; error: Error; wasAsked(): boolean }[] = [];
  readonly #listeners = new Set<(flow: F, moment: M) => void>();
  /** Why there is nothing to wait for any more. */
  #closed: string | undefined;

  /**
   * @param flows those recorded so far
   * @param defaultTimeout milliseconds
   */
  constructor(
    private readonly flows: () => Iterable<F>,
    readonly defaultTimeout = DEFAULT_WAIT,
  ) {}

  /** Something went on in a flow. */
  happened(flow: F, moment: M): void {
    if (this.#pending.size > 0) for (const wait of [...this.#pending]) wait.look(flow);
    if (this.#listeners.size > 0) for (const listener of [...this.#listeners]) listener(flow, moment);
  }

  /** Hears of everything that goes on. @returns what stops it */
  listen(listener: (flow: F, moment: M) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws SluiceError BAD_OPTION, WAIT_TIMEOUT, WAIT_ENDED, or what `goal.failed` gives */
  for<T>(goal: WaitGoal<T, F>, options: Wait = {}): Promise<T> {
    const { timeout = this.defaultTimeout, signal, after } = options;
    if (typeof timeout !== 'number' || !(timeout >= 0)) {
      const accepted = 'milliseconds are accepted, and 0 to wait for ever';
      throw new SluiceError('BAD_OPTION', `${goal.what}: timeout ${shown(timeout)}; ${accepted}`);
    }
    // The stack of whoever waits, which a timer does not have.
    const origin = new Error();
    const promise = new Asked<T>((resolve, reject) => {
      const finish = (settle: () => void) => {
        if (!this.#pending.delete(pending)) return;
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        settle();
      };
      const fail = (error: Error) =>
        finish(() => {
          const failure = withStackOf(error, origin, goal.frames);
          // One that has been awaited need not be kept: a proxy may live long.
          this.#unheard = this.#unheard.filter((earlier) => !earlier.wasAsked());
          this.#unheard.push({ call: goal.what, error: failure, wasAsked });
          reject(failure);
        });
      const wasAsked = () => promise.asked;
      const judge = (flow: F, matches: boolean) => {
        if (!matches) return;
        if (goal.reached(flow)) {
          finish(() => resolve(goal.result(flow)));
          return;
        }
        const failure = goal.failed?.(flow);
        if (failure !== undefined) fail(failure);
      };
      const pending: Pending<F> = {
        goal,
        look: (flow) => {
          try {
            if (!goal.reached(flow) && goal.failed?.(flow) === undefined) return undefined;
            if (after !== undefined && !this.#beganAfter(flow, after)) return undefined;
            const matches = goal.match?.test(flow) ?? true;
            if (typeof matches !== 'boolean')
              return matches.then((result) => judge(flow, result)).catch(threw);
            judge(flow, matches);
          } catch (error) {
            threw(error);
          }
          return undefined;
        },
        reject: fail,
        wasAsked,
      };
      const threw = (error: unknown) =>
        fail(isSluiceError(error) || isError(error) ? error : new Error(messageOf(error)));
      const aborted = () => fail(isError(signal?.reason) ? signal.reason : new Error('the wait was aborted'));
      const timer =
        timeout === 0 || timeout > MAX_MILLISECONDS
          ? undefined
          : setTimeout(() => {
              const message = `${goal.what}: ${goal.late} within ${timeout} ms\n\n${goal.seen()}`;
              fail(new SluiceError('WAIT_TIMEOUT', message));
            }, timeout);
      this.#pending.add(pending);
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted);
      const looks: (Promise<void> | undefined)[] = [];
      for (const flow of this.flows()) {
        if (!this.#pending.has(pending)) break;
        looks.push(pending.look(flow));
      }
      if (this.#closed === undefined) return;
      const why = this.#closed;
      Promise.all(looks).then(() => fail(this.#ended(goal, why)), fail);
    });
    // Whoever waits may await later: until then a rejection is not unhandled, it is only early.
    Promise.prototype.then.call(promise, undefined, () => undefined);
    return promise;
  }

  /** Waits until something holds that only changes when something goes on. @throws what `late` gives, when the time is over */
  until(holds: () => boolean, timeout: number, late: () => Error): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.listen(() => {
        if (!holds()) return;
        clearTimeout(timer);
        stop();
        resolve();
      });
      const timer = setTimeout(() => {
        stop();
        reject(late());
      }, timeout);
    });
  }

  /**
   * Rejects every pending wait with what it waited for, `why`, and what was seen instead.
   * @returns them, and those that failed before and nobody asked
   */
  end(why: string): EndedWait[] {
    const unheard = this.#unheard.filter(({ wasAsked }) => !wasAsked());
    const pending = [...this.#pending].map(({ goal, reject, wasAsked }) => {
      const error = this.#ended(goal, why);
      reject(error);
      return { call: goal.what, error, asked: wasAsked() };
    });
    this.#unheard = [];
    return [...unheard.map(({ call, error }) => ({ call, error, asked: false })), ...pending];
  }

  /** As {@link end}, for good: a later wait is answered from the past flows or rejected at once. */
  close(why: string): void {
    this.#closed = why;
    this.end(why);
  }

  #ended(goal: WaitGoal<unknown, F>, why: string): SluiceError {
    return new SluiceError('WAIT_ENDED', `${goal.what}: ${why}\n\n${goal.seen()}`);
  }

  #beganAfter(flow: F, after: { readonly id: string }): boolean {
    return Number(flow.id) > Number(after.id);
  }
}
