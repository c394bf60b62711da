import type { Http2Stream } from 'node:http2';

/**
 * Tells whether a stream's other end has ended it in the right way (END_STREAM), once its 'end' or 'close' has come:
 * node:http2 ends what can be read in the same way after a reset with NO_ERROR. Only when that happens can the two be
 * told apart, for by then a reset stream is closed, and one that has come to its end not yet.
 */
export function watchEnd(stream: Http2Stream): () => boolean {
  let whole = stream.endAfterHeaders;
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !stream.closed && !stream.destroyed) whole = true;
    return push(chunk, encoding);
  };
  return () => whole;
}
