/**
 * What a server-sent event is compared with, for `waitForEvent` and `toHaveEvent`.
 * @module
 */
import { SluiceError, shown } from '../errors.js';
import { describeValue } from './describe.js';
import { comparePayload, type Payload } from './payload-match.js';
import type { ServerSentEvent, ServerSentEventMatch } from './payload-types.js';

/** A match of events, ready to be asked. */
export interface EventGoal {
  /** As it was typed, and the type that it has to have. */
  readonly describe: string;
  /** As it was typed. */
  readonly payload: string;
  /** @throws whatever the caller's function or matcher throws, SluiceError BAD_MATCH if it gives a promise */
  test(event: ServerSentEvent): boolean;
}

/**
 * @param what who asks, for messages
 * @throws SluiceError BAD_MATCH for `undefined` and other things that no event can be, or a type that is no text
 */
export function compileEventMatch(match: ServerSentEventMatch, what: string, type?: string): EventGoal {
  if (type !== undefined && typeof type !== 'string') {
    throw new SluiceError(
      'BAD_MATCH',
      `${what}: event ${shown(type)} is not accepted; give its type as a string`,
    );
  }
  const comparison = comparePayload(match, what, payloadOf);
  const payload = describeValue(match);
  return {
    describe: type === undefined ? payload : `${payload} of type ${shown(type)}`,
    payload,
    test: (event) => (type === undefined || event.event === type) && comparison.test(event),
  };
}

/** An event's data, as payloads are compared. */
export function payloadOf({ data }: ServerSentEvent): Payload {
  const bytes = Buffer.from(data);
  return { type: 'text', data: bytes, size: bytes.length, truncated: false, text: () => data };
}
