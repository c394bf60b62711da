/**
 * Runs a parser over octets cut in any way and writes down what it told, in a form that two runs can be compared by.
 * @module
 */
import type { Headers } from '../../flow/headers.js';
import type { RequestHead, ResponseHead } from '../head.js';
import { ProtocolError } from '../head.js';
import { type ParserEvents, RequestParser, ResponseParser } from '../parser.js';

export interface Transcript {
  /** `head ...`, `chunk SIZE LINE`, `data OCTETS`, `end ...`; adjacent data is one. */
  events: string[];
  messages: Recorded[];
  /** Set if the parser refused the input. */
  error: ProtocolError | undefined;
  /** Octets that the parser took. */
  consumed: number;
  midHead: boolean;
  /** What `finish()` said; `undefined` after an error. */
  clean: boolean | undefined;
}

/** One message, as it was told. */
export interface Recorded {
  /** `method` or `status`, whichever there is. */
  head: RequestHead | ResponseHead;
  chunks: { size: number; line: string }[];
  body: Buffer;
  wire: Buffer;
  ended: boolean;
  lastLine: string | undefined;
  trailers: Headers | undefined;
}

export interface RunOptions {
  kind: 'request' | 'response';
  /** Methods of the requests that final responses answer, in order; GET beyond. */
  methods?: string[];
  /** Pauses in every event. */
  pausing?: boolean;
  /** Asked after each message; `false` stops there. Default: always on to the next. */
  goOn?: (message: Recorded) => boolean;
  /** Octets that follow, given in one further call unless the parser has stopped. */
  after?: Buffer;
}

/** @param cuts offsets at which the input is cut, ascending */
export function run(input: Buffer, cuts: readonly number[], options: RunOptions): Transcript {
  const messages: Recorded[] = [];
  const log: (() => string)[] = [];
  const methods = [...(options.methods ?? [])];
  let pieces: string[] | undefined;
  let stopped: 'no' | 'paused' | 'ended' = 'no';
  const last = (): Recorded => {
    const message = messages.at(-1);
    if (message === undefined || message.ended) throw new Error('a body event outside of a message');
    return message;
  };
  const told = (what: string, line: (() => string) | undefined) => {
    if (stopped !== 'no') throw new Error(`${what} was told after the parser should have stopped`);
    if (line !== undefined) {
      log.push(line);
      pieces = undefined;
    }
    if (options.pausing) {
      parser.pause();
      stopped = 'paused';
    }
  };
  const events: ParserEvents<RequestHead | ResponseHead> = {
    head(head) {
      if (messages.at(-1)?.ended === false) throw new Error('a head within a message');
      const none = Buffer.alloc(0);
      messages.push({
        head,
        chunks: [],
        body: none,
        wire: none,
        ended: false,
        lastLine: undefined,
        trailers: undefined,
      });
      // Written down at the very end, when the input is long overwritten: a head must not live in it.
      told('head', () => `head ${showHead(head)}`);
    },
    chunk(size, line) {
      const text = line.toString('latin1');
      last().chunks.push({ size, line: text });
      told('chunk', () => `chunk ${size} ${JSON.stringify(text)}`);
    },
    data(bytes, start, end) {
      if (end <= start) throw new Error('empty data');
      const message = last();
      const text = bytes.toString('latin1', start, end);
      message.body = Buffer.concat([message.body, bytes.subarray(start, end)]);
      if (pieces === undefined) {
        const mine: string[] = [text];
        told('data', () => `data ${JSON.stringify(mine.join(''))}`);
        pieces = mine;
      } else {
        pieces.push(text);
        told('data', undefined);
      }
    },
    // Told for data that a pause has stopped after, and may be the first to pause.
    wire(bytes, start, end) {
      if (end <= start || stopped === 'ended') throw new Error('empty wire, or wire after the end');
      const message = last();
      message.wire = Buffer.concat([message.wire, bytes.subarray(start, end)]);
      if (options.pausing) {
        parser.pause();
        stopped = 'paused';
      }
    },
    end(lastLine, trailers) {
      const message = last();
      told('end', () => `end ${JSON.stringify(lastLine)} ${JSON.stringify(trailers && [...trailers])}`);
      Object.assign(message, { ended: true, lastLine, trailers });
      stopped = 'ended';
    },
  };
  const parser = options.kind === 'request' ? new RequestParser(events) : new ResponseParser(events);
  const setMethod = () => {
    if (parser instanceof ResponseParser) parser.method = methods[0] ?? 'GET';
  };
  setMethod();

  let consumed = 0;
  let done = false;
  const feed = (part: Buffer) => {
    // Within a larger buffer that is overwritten afterwards, as a socket's read buffer is.
    const before = 3;
    const buffer = Buffer.concat([Buffer.alloc(before, '~'), part]);
    let at = before;
    while (!done) {
      at = parser.execute(buffer, at);
      if (stopped === 'no') {
        if (at !== buffer.length)
          throw new Error(`stopped at ${at - before} of ${part.length} for no reason`);
        break;
      }
      if (stopped === 'ended') {
        const message = messages.at(-1);
        if (message === undefined) throw new Error('an end without a message');
        if (parser.execute(buffer, at) !== at) throw new Error('went on before next()');
        if (!('status' in message.head) || message.head.status >= 200) methods.shift();
        setMethod();
        done = options.goOn?.(message) === false;
        if (!done) parser.next();
      }
      stopped = 'no';
      parser.resume();
    }
    buffer.fill('X');
    consumed += at - before;
  };

  let error: ProtocolError | undefined;
  try {
    let from = 0;
    for (const cut of [...cuts, input.length]) {
      feed(input.subarray(from, cut));
      from = cut;
    }
    if (options.after !== undefined) feed(options.after);
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown;
    error = thrown;
  }
  const midHead = parser.midHead;
  stopped = 'no';
  const clean = error === undefined ? parser.finish() : undefined;
  return { events: log.map((line) => line()), messages, error, consumed, midHead, clean };
}

/** What must not depend on how the input was cut. */
export function essence(transcript: Transcript): unknown {
  const { events, messages, error, consumed, clean } = transcript;
  return {
    events,
    wire: messages.map((message) => message.wire.toString('latin1')),
    error: error?.status,
    // An error may be found earlier in smaller pieces.
    consumed: error === undefined ? consumed : undefined,
    clean,
  };
}

/** Every way of cutting that the tests try: whole, in two at each of `offsets` (default all), and in single octets. */
export function* cuttings(length: number, offsets?: Iterable<number>): Generator<number[]> {
  yield [];
  for (const offset of offsets ?? Array(length).keys()) yield [offset];
  yield Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
}

function showHead(head: RequestHead | ResponseHead): string {
  const { headers, framing, ...rest } = head;
  const start = 'method' in head ? `${head.method} ${head.target}` : `${head.status} ${head.statusText}`;
  const length = framing.kind === 'length' ? `:${framing.length}` : '';
  const flags = Object.entries(rest)
    .filter(([name, value]) => value === true || (name === 'upgrade' && value !== undefined))
    .map(([name, value]) => (value === true ? name : `${name}=${String(value)}`));
  return [start, head.version, `${framing.kind}${length}`, ...flags, JSON.stringify(headers.toWire())].join(
    ' ',
  );
}
