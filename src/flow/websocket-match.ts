/**
 * What a WebSocket message is compared with, for `waitForMessage` and `toHaveMessage`.
 * @module
 */
import { SluiceError, shown } from '../errors.js';
import { describeValue } from './describe.js';
import { comparePayload } from './payload-match.js';
import type { WebSocketMessage, WebSocketMessageMatch, WebSocketPeer } from './payload-types.js';

/** A match of messages, ready to be asked. */
export interface MessageGoal {
  /** As it was typed, and the end it has to come from. */
  readonly describe: string;
  /** As it was typed. */
  readonly payload: string;
  /** @throws whatever the caller's function or matcher throws, SluiceError BAD_MATCH if it gives a promise */
  test(message: WebSocketMessage): boolean;
  /** Of a message that failed: whether what was not stored of it, as it is truncated, might have made it match. */
  mightMatch(message: WebSocketMessage): boolean;
}

/**
 * @param what who asks, for messages
 * @throws SluiceError BAD_MATCH for `undefined` and other things that no message can be, or another `from`
 */
export function compileMessageMatch(
  match: WebSocketMessageMatch,
  what: string,
  from?: WebSocketPeer,
): MessageGoal {
  if (from !== undefined && from !== 'client' && from !== 'server') {
    throw new SluiceError(
      'BAD_MATCH',
      `${what}: from ${shown(from)} is not accepted; give 'client' or 'server'`,
    );
  }
  const comparison = comparePayload<WebSocketMessage>(match, what, (message) => message);
  const isFrom = (message: WebSocketMessage) => from === undefined || message.from === from;
  const payload = describeValue(match);
  return {
    describe: from === undefined ? payload : `${payload} from the ${from}`,
    payload,
    test: (message) => isFrom(message) && comparison.test(message),
    mightMatch: (message) => message.truncated && isFrom(message) && comparison.mightMatch(message),
  };
}

/** Whether the hooks of a message are not through with it: it may still change. */
export function isHeld(message: WebSocketMessage): boolean {
  return 'final' in message && message.final === undefined;
}
