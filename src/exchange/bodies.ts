/**
 * What both legs need to set up a body.
 * @module
 */
import { messageOf } from '../errors.js';
import { mediaType } from '../flow/content.js';
import type { FlowRecord } from '../flow/flow.js';
import type { MessageRecord, RequestRecord, ResponseRecord } from '../flow/message.js';
import type { TransformContext } from '../flow/types.js';
import type { Framing } from '../http1/head.js';
import type { ResolvedOptions } from '../options.js';
import { Taps } from '../stream/taps.js';
import { LengthBrokenError } from '../stream/transformed-body.js';
import type { Exchange } from './exchange.js';

/** The length a body states before it comes. */
export function lengthOf(framing: Framing): number | undefined {
  return framing.kind === 'length' ? framing.length : undefined;
}

/** What is computed while a streamed body passes. @param received or sent on, by a transform */
export function streamTaps(message: MessageRecord, options: ResolvedOptions, received = true): Taps {
  const digest = options.digest !== false;
  const side = received ? message.transfer.received : message.transfer.sent;
  return new Taps(message, side, { body: digest, parts: received, partDigests: digest });
}

/** What is computed while a body is collected: only parts; a recorded body's digests can wait until asked for. */
export function bufferedTaps(message: MessageRecord, options: ResolvedOptions): Taps | undefined {
  if (!mediaType(message.headers.get('content-type')).startsWith('multipart/')) return undefined;
  const partDigests = options.digest !== false;
  return new Taps(message, message.transfer.received, { body: false, parts: true, partDigests });
}

export function transformContext(
  flow: FlowRecord,
  message: RequestRecord | ResponseRecord,
  signal: AbortSignal,
): TransformContext {
  return { flow, message, signal };
}

/** Ends an exchange whose transform threw. */
export function failedTransform(exchange: Exchange, error: unknown): void {
  const code = error instanceof LengthBrokenError ? 'LENGTH_BROKEN' : 'TRANSFORM_FAILED';
  exchange.fail(code, messageOf(error), error);
}
