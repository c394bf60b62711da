/**
 * An addon: changes a word in every text response while it streams. It is mitmproxy's
 * `examples/complex/stream_modify.py`, with one difference: a word that is split over two pieces is found too.
 *
 * `proxy.use(streamModify)` with `import * as streamModify from './stream-modify.js'`.
 */
import { type AnsweredFlow, decoded, type StreamTransform } from 'sluice';

export function responseHeaders(flow: AnsweredFlow): void {
  if (!flow.response.headers.get('content-type')?.startsWith('text/')) return;
  // Of a gzipped body the transform sees the content: without decoded() it would look for the word in gzip.
  flow.response.stream = decoded(replaceWord('foo', 'bar'));
}

/**
 * A transform that replaces every `from` by `to`. It looks for bytes, not characters, so that a piece may end within a
 * character too. What could be the beginning of a word waits for the next piece, at most `from`'s length less one.
 */
export function replaceWord(from: string, to: string): StreamTransform {
  const word = Buffer.from(from);
  const replacement = Buffer.from(to);
  if (word.length === 0) throw new RangeError('replaceWord: the word to replace is empty');
  return async function* (pieces) {
    let held: Buffer = Buffer.alloc(0);
    for await (const piece of pieces) {
      let rest = Buffer.concat([held, piece]);
      for (let at = rest.indexOf(word); at !== -1; at = rest.indexOf(word)) {
        yield rest.subarray(0, at);
        yield replacement;
        rest = rest.subarray(at + word.length);
      }
      const keep = beginning(rest, word);
      yield rest.subarray(0, rest.length - keep);
      held = rest.subarray(rest.length - keep);
    }
    yield held;
  };
}

/** How many of the last bytes are the beginning of the word. */
function beginning(bytes: Buffer, word: Buffer): number {
  for (let length = Math.min(word.length - 1, bytes.length); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(word.subarray(0, length))) return length;
  }
  return 0;
}
