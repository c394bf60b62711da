/**
 * Faults that happen at an offset of a body.
 * @module
 */

import { performance } from '../clock.js';
import type { StreamTransform } from '../flow/types.js';
import type { Size } from '../size.js';
import { FaultReset } from '../stream/fault-reset.js';
import { keepsLength } from '../stream/transforms.js';
import { readSize } from './arguments.js';
import { untilAborted, waitUntil } from './waiting.js';

/** How long a receiver has for what was passed before a reset that may make its system drop it, in milliseconds. */
const GRACE = 50;

type Verdict = 'stop' | 'go on';

/**
 * Gives the first `size` octets and then does what `at` does, which may throw; only if that says 'go on' is the rest read.
 * `at` is not called if the body is shorter. Of one of exactly `size` octets it is, before the body's end.
 */
export async function* passUntil(
  pieces: AsyncIterable<Buffer>,
  size: number,
  at: () => Verdict | Promise<Verdict>,
): AsyncGenerator<Buffer, undefined> {
  let left = size;
  let reached = false;
  const reach = async () => {
    reached = true;
    return (await at()) === 'stop';
  };
  if (size === 0 && (await reach())) {
    // It was never looked into, and is told so.
    await pieces[Symbol.asyncIterator]().return?.();
    return;
  }
  for await (const piece of pieces) {
    if (reached || piece.length < left) {
      left -= piece.length;
      yield piece;
      continue;
    }
    yield piece.subarray(0, left);
    if (await reach()) return;
    if (left < piece.length) yield piece.subarray(left);
  }
}

/**
 * Passes `size` octets on and then nothing more: the message stays as it is until one of its ends gives up. What comes
 * after is not read, so that the sender is stopped, too. A body that is shorter passes untouched; one of exactly `size`
 * octets stalls before its end. Content-Length stays.
 *
 * @param size octets, or digits with `k`, `m` or `g`
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/report.pdf', { response: stallAfter('64k') });
 */
export function stallAfter(size: Size): StreamTransform {
  const octets = readSize('stallAfter', size);
  return keepsLength((pieces, { signal }) => passUntil(pieces, octets, () => untilAborted(signal)));
}

/**
 * Passes `size` octets on and ends the body there, in good order: the receiver gets a message that is well-formed and
 * too short. Content-Length is left out for it; the body goes in chunks (RFC 9112 section 7.1), or in frames over HTTP/2.
 * What is left of a request is read and dropped; the origin is cut off from what is left of a response. A body that is
 * shorter passes whole.
 *
 * @param size octets, or digits with `k`, `m` or `g`
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/big', { response: cutAfter('1m'), times: 1 });
 */
export function cutAfter(size: Size): StreamTransform {
  const octets = readSize('cutAfter', size);
  return (pieces) => passUntil(pieces, octets, () => 'stop');
}

/**
 * Passes `size` octets on and then resets the connections of client and origin: with TCP RST, or over HTTP/2 with
 * RST_STREAM, as when a network fails. The flow ends with `FAULT_RESET`, which does not fail the test. Octets that the
 * receiver has not read by then may get lost, as with any reset; it has 50 ms for them. A body that is shorter passes
 * untouched; one of exactly `size` octets is reset before its end. Content-Length stays.
 *
 * @param size octets, or digits with `k`, `m` or `g`
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/upload', { request: resetAfter('1m'), times: 1 });
 */
export function resetAfter(size: Size): StreamTransform {
  const octets = readSize('resetAfter', size);
  return keepsLength((pieces, { signal }) =>
    passUntil(pieces, octets, async () => {
      await waitUntil(performance.now() + GRACE, signal);
      throw new FaultReset(`resetAfter: the connections were reset on purpose after ${octets} bytes`);
    }),
  );
}
