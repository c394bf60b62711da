import type { Writable } from 'node:stream';
import { isError } from '../errors.js';
import type { StreamTransform } from '../flow/types.js';
import { keepsLength } from '../stream/transforms.js';
import { refuse } from './arguments.js';
import { unlessAborted } from './waiting.js';

/**
 * Copies what passes to a Writable, such as a file, and passes it on untouched. It waits for a writable that is full, and
 * at the body's end for it to finish: what was written is there when the message is complete. The writable is ended with
 * the body, and destroyed with the error if the message fails; one that fails by itself fails the message with
 * `TRANSFORM_FAILED`, and so the test. Content-Length stays.
 *
 * A writable is for one message, since it is ended then: a second one fails. Give the rule `times: 1`, or assign
 * `message.stream` in a hook.
 *
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/report', { response: tee(createWriteStream('report.bin')), times: 1 });
 */
export function tee(writable: Writable): StreamTransform {
  if (typeof writable?.write !== 'function' || typeof writable.end !== 'function') {
    refuse('tee', 'writable', writable, 'a Writable of node:stream');
  }
  // Whether it fails before a message comes or after it, nothing but the message is to fail.
  writable.on('error', () => undefined);
  let taken = false;
  return keepsLength((pieces, { signal }) => {
    if (taken) throw new Error('tee: its writable has had a message already; give the rule times: 1');
    taken = true;
    const copy = new Copy(writable, signal);
    const copying = passThrough(pieces, copy);
    const iterator: AsyncIterableIterator<Buffer> = {
      next: () => copying.next(),
      // Also if it was never read from.
      return: async () => {
        const result = await copying.return(undefined);
        await copy.end();
        return result;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  });
}

async function* passThrough(pieces: AsyncIterable<Buffer>, copy: Copy): AsyncGenerator<Buffer, undefined> {
  try {
    for await (const piece of pieces) {
      await copy.write(piece);
      yield piece;
    }
  } catch (error) {
    copy.destroy(error);
    throw error;
  }
  await copy.end();
}

/** The writable's side of it. */
class Copy {
  #failure: Error | undefined;
  /** Of whoever waits for the writable. */
  #reject: ((error: Error) => void) | undefined;
  #ended: Promise<void> | undefined;

  constructor(
    private readonly writable: Writable,
    private readonly signal: AbortSignal,
  ) {
    const closed = () => this.#fail(new Error('tee: its writable was closed before the body had ended'));
    if (writable.errored) this.#fail(writable.errored);
    if (writable.destroyed || writable.writableEnded) closed();
    writable.once('error', (error) => this.#fail(error));
    writable.once('close', closed);
    const abort = () => this.destroy(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.writable.write(bytes)) return;
    await this.#until((drained) => this.writable.once('drain', drained));
  }

  /** Ends the writable; resolves when it has finished. */
  end(): Promise<void> {
    this.#ended ??= this.#until((finished) => this.writable.end(finished));
    return this.#ended;
  }

  destroy(error: unknown): void {
    if (this.writable.writableFinished) return;
    this.writable.destroy(isError(error) ? error : new Error(String(error)));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#reject?.(error);
  }

  #until(begin: (done: (error?: Error | null) => void) => void): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#reject = reject;
      if (this.#failure !== undefined) reject(this.#failure);
      else begin((error) => (error ? reject(error) : resolve()));
    });
    return unlessAborted(done, this.signal);
  }
}
