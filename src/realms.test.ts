/** Jest gives each test file a global scope of its own: what Node throws there is no instance of the file's `Error`. */
import { describe, expect, it } from '@jest/globals';
import { isError, messageOf } from './errors.js';
import { withProxy } from './testing/with-proxy.js';

/** What is thrown. */
function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('what Node throws, seen from another global scope,', () => {
  it('is an error, with its message and kind', () => {
    const error = thrownBy(() => Buffer.alloc(1).readUInt16BE());
    expect(error instanceof Error).toBe(false);
    expect([isError(error), isError(error, 'RangeError'), isError(error, 'TypeError')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(messageOf(error)).toBe('Attempt to access memory outside buffer bounds');
    expect(isError(AbortSignal.abort().reason, 'AbortError')).toBe(true);
    expect(isError({ message: 'none' })).toBe(false);
  });

  it('is the reason of a wait that is given up', () =>
    withProxy({}, async ({ proxy }) => {
      const signal = AbortSignal.abort();
      await expect(proxy.waitForFlow('**', { signal })).rejects.toBe(signal.reason);
    }));

  it('lets text be read in a charset that nobody knows', () =>
    withProxy({}, async ({ exchange, over }) => {
      const { upstream } = await exchange('GET http://{origin}/ HTTP/1.1\r\nHost: {origin}');
      await upstream.send(
        'HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=klingon\r\nContent-Length: 2\r\n\r\nok',
      );
      expect((await over()).response?.text()).toBe('ok');
    }));
});
