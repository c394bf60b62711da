/**
 * Frames as they are written, and the payload of close frames (RFC 6455 sections 5.2, 5.5.1 and 7.4).
 * @module
 */
import { randomInt } from 'node:crypto';
import { applyMask } from '../flow/mask.js';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** The frame's payload is compressed (RFC 7692 section 6). */
export const RSV1 = 4;

export interface FrameFields {
  opcode: number;
  fin: boolean;
  /** {@link RSV1} or nothing. */
  rsv?: number;
  /** Frames to a server are masked. */
  masked: boolean;
}

/** A whole frame. The payload is copied. */
export function encodeFrame({ opcode, fin, rsv = 0, masked }: FrameFields, payload: Buffer): Buffer {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + extra + (masked ? 4 : 0);
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const mark = masked ? 0x80 : 0;
  if (extra === 0) {
    frame[1] = mark | length;
  } else if (extra === 2) {
    frame[1] = mark | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = mark | 127;
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    frame.writeUInt32BE(length % 2 ** 32, 6);
  }
  payload.copy(frame, start);
  if (masked) {
    // Unpredictable, as RFC 6455 section 10.3 asks.
    const key = randomInt(2 ** 32) | 0;
    frame.writeInt32LE(key, start - 4);
    applyMask(frame, start, frame.length, key, 0);
  }
  return frame;
}

/** A close frame. */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const text = Buffer.from(reason);
  // A control frame holds 125 octets; a character must not be cut.
  let room = Math.min(text.length, 123);
  while (room < text.length && ((text[room] ?? 0) & 0xc0) === 0x80) room--;
  const payload = Buffer.allocUnsafe(2 + room);
  payload.writeUInt16BE(code, 0);
  text.copy(payload, 2, 0, room);
  return encodeFrame({ opcode: CLOSE, fin: true, masked }, payload);
}

/** Whether a close frame may carry the code (RFC 6455 section 7.4). */
export function isCloseCode(code: number): boolean {
  return code >= 1000 && code <= 4999 && ![1004, 1005, 1006, 1015].includes(code);
}
