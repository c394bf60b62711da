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

/** The stream's request has not been processed. */
export const REFUSED_STREAM = 7;

/** A stream that was reset (RFC 9113 section 5.4.2). */
export class StreamReset extends Error {
  /** @param code of RST_STREAM, or of the GOAWAY that ended its connection */
  constructor(readonly code: number) {
    super(`the stream was reset with ${nameOfCode(code)}`);
    this.name = 'StreamReset';
  }
}

/** `CANCEL (8)`, for messages. */
export function nameOfCode(code: number): string {
  const name = NAMES[code];
  return name === undefined ? `code ${code}` : `${name} (${code})`;
}
