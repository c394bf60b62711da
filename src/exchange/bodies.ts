/**
 * What both legs need to set up a body.
 * @module
 */
import { type FlowErrorCode, messageOf } from '../errors.js';
import { mediaType } from '../flow/content.js';
import type { MessageRecord, RequestRecord } from '../flow/message.js';
import type { ResponseRecord } from '../flow/response.js';
import type { Framing } from '../http1/head.js';
import type { ResolvedOptions } from '../options/types.js';
import type { BodyEnd, BodyOutlet, BodySource } from '../stream/body.js';
import { CollectedBody, type CollectReceiver, type StatedLength } from '../stream/collected-body.js';
import { EventTap } from '../stream/event-tap.js';
import { isFaultReset } from '../stream/fault-reset.js';
import { HeldOutlet } from '../stream/held-outlet.js';
import { RelayedBody } from '../stream/relayed-body.js';
import { decideStream } from '../stream/rules.js';
import { Taps } from '../stream/taps.js';
import { LengthBrokenError, TransformedBody } from '../stream/transformed-body.js';
import { isLengthKept } from '../stream/transforms.js';
import type { Exchange } from './exchange.js';
import { type Receiver, streamedFraming } from './framing.js';

/** The length a body states before it comes. */
export function lengthOf(framing: Framing): number | undefined {
  return framing.kind === 'length' ? framing.length : undefined;
}

/** Takes every decision but the hooks'. Returns `false` where a rule threw: the exchange has failed. */
export function decideBody(
  exchange: Exchange,
  message: RequestRecord | ResponseRecord,
  side: 'request' | 'response',
  framing: Framing,
): boolean {
  const { flow, services } = exchange;
  try {
    decideStream(message, side, flow, lengthOf(framing), services.streamRules, services.options);
    return true;
  } catch (error) {
    exchange.fail('RULE_FAILED', `a stream rule threw: ${messageOf(error)}`, error);
    return false;
  }
}

/** Octets of a start line, more or less: the rest of a head is its fields. */
const START_LINE = 120;

/** Sets up a body that is read whole. One of unknown length may turn out to be large, and stream then. */
export function collectBody(
  exchange: Exchange,
  message: MessageRecord,
  framing: Framing,
  receiver: CollectReceiver,
): CollectedBody {
  const { options } = exchange.services;
  const unknown = framing.kind !== 'none' && framing.kind !== 'length';
  const mayOutgrow = unknown && !message.streamRefused && exchange.answer === undefined;
  const limits = {
    refuseOver: options.bodySizeLimit,
    streamOver: mayOutgrow ? options.streamLargeBodies : Number.POSITIVE_INFINITY,
  };
  const taps = bufferedTaps(message, options);
  return new CollectedBody(message, taps, limits, receiver, statedLength(message, framing));
}

function statedLength(message: MessageRecord, framing: Framing): StatedLength | undefined {
  if (framing.kind !== 'length') return undefined;
  return { length: framing.length, headroom: message.headers.toWire().length + START_LINE };
}

/** What is computed while a streamed body passes. @param received, or sent on by a transform */
function streamTaps(
  message: MessageRecord,
  options: ResolvedOptions,
  received: boolean,
  events?: EventTap,
): Taps {
  const digest = options.digest !== false;
  const side = received ? message.transfer.received : message.transfer.sent;
  return new Taps(message, side, { body: digest, parts: received, partDigests: digest }, events);
}

/** What is computed while a body is collected: only parts; a recorded body's digests can wait until asked for. */
function bufferedTaps(message: MessageRecord, options: ResolvedOptions): Taps | undefined {
  if (!mediaType(message.headers.get('content-type')).startsWith('multipart/')) return undefined;
  const partDigests = options.digest !== false;
  return new Taps(message, message.transfer.received, { body: false, parts: true, partDigests });
}

/** The framing that a streamed message leaves with. */
export function framingOf(message: MessageRecord, received: Framing, receiver: Receiver): Framing['kind'] {
  const { stream } = message;
  const transformed = typeof stream === 'function';
  return streamedFraming(
    received,
    { transformed, keepsLength: transformed && isLengthKept(stream) },
    receiver,
  );
}

export type StreamedBody = RelayedBody | TransformedBody;

/** Where a streamed body comes from and goes to. */
export interface StreamedWay {
  source: BodySource;
  received: Framing;
  outlet: BodyOutlet;
  framing: Framing['kind'];
  /** Of an event stream. */
  events?: EventTap | undefined;
}

/** Told of a streamed body's ends. */
export interface StreamedEvents {
  /** All of it is written but the end. `early`: a transform did not want the rest of the source. */
  end(end: BodyEnd, body: StreamedBody, early: boolean): void;
  /** The source has ended; with `early`, after a transform that did not want it to the end. */
  sourceEnded(early: boolean): void;
}

/** Sets a streamed body on its way, through its transform if it has one. */
export function streamBody(
  exchange: Exchange,
  message: RequestRecord | ResponseRecord,
  way: StreamedWay,
  events: StreamedEvents,
): StreamedBody {
  const { source, received, framing, events: tap } = way;
  const { options } = exchange.services;
  const transform = message.stream;
  // Events are in the record before their octets go out.
  const outlet = tap?.slow === true ? new HeldOutlet(way.outlet, tap) : way.outlet;
  if (typeof transform !== 'function') {
    const taps = streamTaps(message, options, true, tap);
    const relayed = new RelayedBody(message, source, outlet, taps, framing === received.kind, (end) =>
      exchange.guard(() => events.end(end, relayed, false)),
    );
    return relayed;
  }
  const bothTaps = {
    received: streamTaps(message, options, true),
    sent: streamTaps(message, options, false, tap),
  };
  const length = framing === 'length' ? lengthOf(received) : undefined;
  const body = new TransformedBody(message, source, outlet, bothTaps, length, {
    end: (end, early) => exchange.guard(() => events.end(end, body, early)),
    sourceEnded: (early) => exchange.guard(() => events.sourceEnded(early)),
    failed: (error) => exchange.fail(codeOf(error), messageOf(error), error),
  });
  body.start((pieces) => transform(pieces, { flow: exchange.flow, message, signal: body.signal }));
  return body;
}

function codeOf(thrown: unknown): FlowErrorCode {
  if (isFaultReset(thrown)) return 'FAULT_RESET';
  return thrown instanceof LengthBrokenError ? 'LENGTH_BROKEN' : 'TRANSFORM_FAILED';
}

/** What takes the events out of an event stream, and tells of them. */
export function eventTap({ flow, services }: Exchange, response: ResponseRecord): EventTap | undefined {
  if (response.eventLog === undefined) return undefined;
  return new EventTap(response.eventLog, response.headers.get('content-encoding'), {
    changed: () => services.happened(flow, 'event'),
    unreadable: (why) => flow.warn(`the response's events are not recorded any more: ${why}`),
  });
}
