import type { StreamTransform } from '../flow/types.js';
import {
  isLengthKept,
  keepsLength,
  ruleListener,
  whenInRule,
  yieldedBytes,
  yieldsOf,
} from '../stream/transforms.js';
import { refuse } from './arguments.js';

/**
 * One transform of several, faults or your own: a body goes through them from left to right. It keeps the length if all
 * of them do. One that ends early or throws ends those before it; what it throws goes through those after it; and an
 * abort of the message reaches each.
 *
 * @throws SluiceError BAD_OPTION
 * @example
 * proxy.stream('**' + '/big', { response: compose(latency(100), throttle('1m'), resetAfter('5m')) });
 */
export function compose(...transforms: StreamTransform[]): StreamTransform {
  for (const transform of transforms) {
    if (typeof transform !== 'function') refuse('compose', 'transform', transform, 'functions');
  }
  const chain: StreamTransform = (pieces, context) => {
    let output: AsyncIterable<Uint8Array | string> = pieces;
    for (const [i, transform] of transforms.entries()) {
      output = transform(i === 0 ? pieces : asBuffers(output), context);
    }
    return output;
  };
  const composed = transforms.every(isLengthKept) ? keepsLength(chain) : chain;
  whenInRule(composed, {
    added: (waitTimeout) => {
      for (const transform of transforms) ruleListener(transform)?.added?.(waitTimeout);
    },
    closed: (why) => {
      for (const transform of transforms) ruleListener(transform)?.closed?.(why);
    },
  });
  return composed;
}

/** What a transform yields, as the next one takes it: buffers, none of them empty. */
function asBuffers(source: AsyncIterable<Uint8Array | string>): AsyncIterableIterator<Buffer> {
  const iterator = yieldsOf(source);
  const next = async (): Promise<IteratorResult<Buffer, undefined>> => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) return { done, value: undefined };
      const bytes = yieldedBytes(value);
      if (bytes.length > 0) return { done: false, value: bytes };
    }
  };
  const buffers: AsyncIterableIterator<Buffer> = {
    next,
    return: async () => {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => buffers,
  };
  return buffers;
}
