import { pipeline, Readable, type Transform } from 'node:stream';
import { contentDecoders, contentEncoders } from '../flow/content.js';
import type { StreamTransform } from '../flow/types.js';

const KEEPS_LENGTH = Symbol.for('sluice.keepsLength');
const IN_RULE = Symbol.for('sluice.inRule');

/** What a transform may be told of the proxy that it is in a rule of. */
export interface RuleListener {
  /** It is in a rule from now on. @param waitTimeout of the proxy's waits, in milliseconds */
  added?(waitTimeout: number): void;
  /** The proxy is closed: no message comes any more. */
  closed?(why: string): void;
}

interface Marked {
  [KEEPS_LENGTH]?: boolean;
  [IN_RULE]?: RuleListener;
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
  return alsoTold(marked, transform);
}

/** Whether a transform was declared with {@link keepsLength}. */
export function isLengthKept(transform: StreamTransform & Marked): boolean {
  return transform[KEEPS_LENGTH] === true;
}

/** Has `listener` told what becomes of a transform that is in a rule. */
export function whenInRule(transform: StreamTransform & Marked, listener: RuleListener): void {
  transform[IN_RULE] = listener;
}

/** What wants to be told of a transform's rule. */
export function ruleListener(transform: StreamTransform & Marked): RuleListener | undefined {
  return transform[IN_RULE];
}

/** Tells `inner` what `outer` is told. */
function alsoTold(outer: StreamTransform, inner: StreamTransform): StreamTransform {
  const listener = ruleListener(inner);
  if (listener !== undefined) whenInRule(outer, listener);
  return outer;
}

/** What a transform yielded. @throws TypeError if it is neither octets nor text */
export function yieldedBytes(value: Uint8Array | string): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`a transform must yield Uint8Array or string, not ${typeof value}`);
}

/** What a transform returned. @throws TypeError if it is not what its pieces can be taken from */
export function yieldsOf(
  output: AsyncIterable<Uint8Array | string> | undefined,
): AsyncIterator<Uint8Array | string> {
  if (typeof output?.[Symbol.asyncIterator] === 'function') return output[Symbol.asyncIterator]();
  throw new TypeError('a transform must return an async iterable; is it an async function* ?');
}

/**
 * Lets a transform see content-decoded octets; what it yields is encoded again as Content-Encoding says. Without a
 * Content-Encoding the transform gets the octets as they are.
 *
 * @throws SluiceError BAD_BODY, as the message's error, for a coding that this Node does not know
 */
export function decoded(transform: StreamTransform): StreamTransform {
  const seeing: StreamTransform = (pieces, context) => {
    const encoding = context.message.headers.get('content-encoding');
    // Encoders are made first: they throw for a coding that is not known.
    const encoders = contentEncoders(encoding);
    const content = through(pieces, contentDecoders(encoding) ?? []);
    return through(transform(content as AsyncIterable<Buffer>, context), encoders);
  };
  return alsoTold(seeing, transform);
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
