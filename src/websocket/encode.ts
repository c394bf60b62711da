import type { WebSocketMessageRecord } from '../flow/websocket.js';
import type { AssembledMessage } from './assembler.js';
import { Deflater } from './deflater.js';
import type { DeflateSide } from './extensions.js';
import { BINARY, CONTINUATION, encodeFrame, RSV1, TEXT } from './frame.js';

/** How messages of one direction are written that can't leave as they came. */
export interface Reencoding {
  deflate: DeflateSide | undefined;
  masked: boolean;
  /** A compressed message was changed, so that those after it refer to what the other end never saw. */
  begun: boolean;
  deflater: Deflater | undefined;
}

type Encoded = (frames: Buffer[] | undefined, error?: Error) => void;

/** An empty message, compressed (RFC 7692 section 7.2.3.6). */
const NO_CONTENT = Buffer.from([0]);

/**
 * A message's frames, of which there are as many as there were if its length is the same, else one.
 * @returns `undefined` where it has to be compressed: `later` is called then
 */
export function encodeMessage(
  message: AssembledMessage,
  record: WebSocketMessageRecord,
  how: Reencoding,
  later: Encoded,
): Buffer[] | undefined {
  const { deflate } = how;
  const kept = record.size === message.size ? message.fragments : undefined;
  if (!message.compressed || deflate === undefined || !Deflater.canWrite(deflate)) {
    return framesOf(
      message,
      record.data,
      how.masked,
      message.compressed ? split(record.size, kept?.length) : kept,
    );
  }
  const compressed = (bytes: Buffer) =>
    framesOf(message, bytes, how.masked, split(bytes.length, kept?.length), RSV1);
  if (record.size === 0) return compressed(NO_CONTENT);
  how.deflater ??= new Deflater(deflate);
  how.deflater.compress(record.data, (error, bytes) => {
    if (error !== undefined) later(undefined, error);
    else later(compressed(bytes));
  });
  return undefined;
}

/** @param sizes of the frames; one frame if absent */
function framesOf(
  { type }: AssembledMessage,
  payload: Buffer,
  masked: boolean,
  sizes: readonly number[] = [payload.length],
  rsv = 0,
): Buffer[] {
  const opcode = type === 'text' ? TEXT : BINARY;
  let at = 0;
  return sizes.map((size, i) => {
    const part = payload.subarray(at, at + size);
    at += size;
    const first = i === 0;
    const fin = i === sizes.length - 1;
    return encodeFrame({ opcode: first ? opcode : CONTINUATION, fin, rsv: first ? rsv : 0, masked }, part);
  });
}

/** Sizes of so many parts of about the same size. */
function split(length: number, parts = 1): number[] {
  const size = Math.ceil(length / parts);
  return Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(size, length - i * size)));
}
