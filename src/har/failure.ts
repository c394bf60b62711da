/**
 * What evidence shows as a failure.
 * @module
 */
import type { FlowError } from '../errors.js';
import type { HttpFlow } from '../flow/types.js';

/** What is said of {@link isClosedStream}. */
export const CLOSED_STREAM = 'closed by the client';

/** Whether it is an event stream that its client closed, as most of them end; the record can't tell that from an abort. */
export function isClosedStream({ error, response }: HttpFlow): boolean {
  return error?.code === 'CLIENT_ABORTED' && response?.events !== undefined;
}

/** Why a flow failed, if it did. */
export function shownError(flow: HttpFlow): FlowError | undefined {
  return isClosedStream(flow) ? undefined : flow.error;
}
