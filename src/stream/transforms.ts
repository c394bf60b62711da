import { pipeline, Readable, type Transform } from 'node:stream';
import { contentDecoders, contentEncoders } from '../flow/content.js';
import type { StreamTransform } from '../flow/types.js';

const KEEPS_LENGTH = Symbol.for('sluice.keepsLength');

interface Marked {
  [KEEPS_LENGTH]?: boolean;
}

/**
 * Declares that a transform yields as many octets as it is given, so that Content-Length can stay. A transform that
 * breaks the promise aborts the message with LENGTH_BROKEN.
 *
 * @example
 * proxy.stream('**' + '/download', { response: keepsLength(upperCase) });
 */
export function keepsLength(transform: StreamTransform): StreamTransform {
  const marked: StreamTransform & Marked = (pieces, context) => transform(pieces, context);
  marked[KEEPS_LENGTH] = true;
  return marked;
}

/** Whether a transform was declared with {@link keepsLength}. */
export function isLengthKept(transform: StreamTransform & Marked): boolean {
  return transform[KEEPS_LENGTH] === true;
}

/**
 * Lets a transform see content-decoded octets; what it yields is encoded again as Content-Encoding says. Without a
 * Content-Encoding the transform gets the octets as they are.
 *
 * @throws SluiceError BAD_BODY, as the message's error, for a coding that this Node does not know
 */
export function decoded(transform: StreamTransform): StreamTransform {
  return (pieces, context) => {
    const encoding = context.message.headers.get('content-encoding');
    // Encoders are made first: they throw for a coding that is not known.
    const encoders = contentEncoders(encoding);
    const content = through(pieces, contentDecoders(encoding) ?? []);
    return through(transform(content as AsyncIterable<Buffer>, context), encoders);
  };
}

/** Leads octets through node streams. */
function through(
  source: AsyncIterable<Uint8Array | string>,
  stages: Transform[],
): AsyncIterable<Uint8Array | string> {
  const last = stages.at(-1);
  if (last === undefined) return source;
  const entry = Readable.from(source, { objectMode: false });
  // A failure destroys the last stage with it, so it surfaces where that is read; if it is, for a transform may never
  // look at its pieces.
  for (const stage of stages) stage.on('error', () => undefined);
  pipeline([entry, ...stages], () => undefined);
  return last as AsyncIterable<Buffer>;
}
