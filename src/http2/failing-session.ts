/**
 * What node:http2 leaves undone about a connection whose other end breaks HTTP/2's rules.
 * @module
 */

import { constants, type Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { clearInterval, setInterval } from '../clock.js';

/** nghttp2's errors (nghttp2.h, and Node's own from -900) by what they are to be told as. */
const CODES: Readonly<Record<number, number>> = {
  [-510]: constants.NGHTTP2_STREAM_CLOSED,
  [-522]: constants.NGHTTP2_FRAME_SIZE_ERROR,
  [-523]: constants.NGHTTP2_COMPRESSION_ERROR,
  [-524]: constants.NGHTTP2_FLOW_CONTROL_ERROR,
  // Flooded, in several ways.
  [-537]: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  [-538]: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  [-904]: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  [-905]: constants.NGHTTP2_ENHANCE_YOUR_CALM,
};

type NodeError = Error & { code?: unknown; errno?: unknown };

/** nghttp2's error for most of what is not valid. */
const INVALID = -505;

/**
 * Makes a session that fails go away with the code of its failure: Node says INTERNAL_ERROR whatever it was. What only
 * one of its streams is to blame for does not end it; newer versions of Node let it.
 * @param failed told before its streams are closed, if what the other end sent is to blame
 */
export function watchFailure(session: Http2Session, failed: (error: Error) => void): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (error?: Error, code?: number) => {
    if (mayBeOfAStream(session, error)) return;
    const verdict = codeOf(error);
    if (error !== undefined && verdict !== undefined && !session.destroyed) failed(error);
    destroy(error, code ?? verdict);
  };
}

/**
 * nghttp2 tells of a malformed message when its stream's reset is waiting to be written, and of a breach that ends the
 * connection before the GOAWAY is. If what waits is something else, {@link Pulse} finds the dead session.
 */
function mayBeOfAStream(session: Http2Session, error: NodeError | undefined): boolean {
  if (error?.code !== 'ERR_HTTP2_ERROR' || error.errno !== INVALID || session.destroyed) return false;
  return (session.state.outboundQueueSize ?? 0) > 0;
}

function codeOf(error: NodeError | undefined): number | undefined {
  switch (error?.code) {
    case 'ERR_HTTP2_ERROR':
      return CODES[Number(error.errno)] ?? constants.NGHTTP2_PROTOCOL_ERROR;
    case 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES':
      return constants.NGHTTP2_ENHANCE_YOUR_CALM;
    default:
      return undefined;
  }
}

/** How often a connection's pulse is taken, in milliseconds. */
const INTERVAL = 500;
/** How many times in a row it must be missed. */
const MISSES = 2;

/**
 * Finds sessions that nghttp2 has given up: after most breaches of the rules it sends GOAWAY and from then on ignores
 * what comes and drops what goes, and nobody is told. Such a session does not write a PING either; one that is well
 * does at once, and so gives a sign of life. It is asked for when something has come since the last and it is quiet, or
 * when nothing has gone out though more and more comes.
 */
export class Pulse {
  readonly #timer: NodeJS.Timeout;
  /** Octets that had come when the session was last known to be well. */
  #proven = 0;
  #read = 0;
  #written = 0;
  /** Octets that had been written when a sign of life was asked for. */
  #asked: number | undefined;
  #missed = 0;

  /**
   * @param raw the TCP socket of the session
   * @param probe has the session write something at once, if it still writes; a PING if it is absent
   */
  constructor(
    private readonly session: Http2Session,
    private readonly raw: Socket,
    private readonly events: {
      /** Told once. */
      dead(): void;
      /** Something has come since the last look. */
      came(): void;
    },
    private readonly probe?: () => void,
  ) {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
    this.#timer.unref();
    session.once('close', () => clearInterval(this.#timer));
  }

  #look(): void {
    const { session, raw } = this;
    if (session.destroyed || raw.destroyed) return;
    const { bytesRead, bytesWritten } = raw;
    if (bytesRead !== this.#read) this.events.came();
    if (this.#asked !== undefined) this.#check(bytesWritten);
    else if (bytesRead !== this.#proven && (bytesRead === this.#read || bytesWritten === this.#written)) {
      this.#asked = bytesWritten;
      if (this.probe !== undefined) this.probe();
      else {
        session.ping(() => {
          if (!session.destroyed) this.#proven = raw.bytesRead;
        });
      }
    }
    this.#read = bytesRead;
    this.#written = bytesWritten;
  }

  #check(written: number): void {
    if (written !== this.#asked) {
      this.#asked = undefined;
      this.#missed = 0;
      this.#proven = this.raw.bytesRead;
    } else if (this.#blocked) {
      this.#missed = 0;
    } else if (++this.#missed >= MISSES) {
      clearInterval(this.#timer);
      this.events.dead();
    }
  }

  /** The other end does not read: nothing can be told from what is not written. */
  get #blocked(): boolean {
    const { _handle: handle } = this.raw as Socket & { _handle?: { writeQueueSize?: number } | null };
    return (handle?.writeQueueSize ?? 0) > 0 || this.raw.writableLength > 0;
  }
}
