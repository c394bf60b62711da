import type { Http2Stream } from 'node:http2';
import { setImmediate } from '../clock.js';
import { giveUpLater } from '../tcp/linger.js';

/** Error codes by number (RFC 9113 section 7). */
const NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
] as const;

export const REFUSED_STREAM = 7;
const HTTP_1_1_REQUIRED = 13;

/** A stream that was reset (RFC 9113 section 5.4.2). */
export class StreamReset extends Error {
  /** @param code of RST_STREAM, or of the GOAWAY that ended its connection */
  constructor(readonly code: number) {
    super(`the stream was reset with ${nameOfCode(code)}`);
    this.name = 'StreamReset';
  }

  /** The request has certainly not been processed (RFC 9113 section 8.7), and may be sent again. */
  get unprocessed(): boolean {
    return this.code === REFUSED_STREAM || this.code === HTTP_1_1_REQUIRED;
  }

  /** What a peer on the other side is reset with: NO_ERROR would look to it like the end of a body. */
  get codeToPass(): number {
    return this.code === 0 ? 2 : this.code;
  }
}

/** `CANCEL (8)`, for messages. */
export function nameOfCode(code: number): string {
  const name = NAMES[code];
  return name === undefined ? `code ${code}` : `${name} (${code})`;
}

const EMPTY = Buffer.alloc(0);

/** Resets a stream once what was written has gone out, or the peer has not taken it for two seconds. */
export function resetWhenWritten(stream: Http2Stream, code: number): void {
  if (stream.writableLength === 0 || stream.writableEnded) {
    resetStream(stream, code);
    return;
  }
  giveUpLater(stream, () => resetStream(stream, code));
  stream.write(EMPTY, () => resetStream(stream, code));
}

/**
 * Resets a stream, in a turn of its own. In a callback of its connection node:http2 ends what is sent at once and puts
 * the reset itself off: with trailers still to come the whole process then fails an assertion of Node's (OnTrailers).
 */
export function resetStream(stream: Http2Stream, code: number): void {
  setImmediate(() => {
    if (!stream.closed && !stream.destroyed) stream.close(code);
  });
}
