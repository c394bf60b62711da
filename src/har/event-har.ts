/**
 * Server-sent events in HAR files: `_eventSourceMessages`, with the names that Chrome's DevTools protocol gives them.
 * @module
 */
import type { ServerSentEvent } from '../flow/payload-types.js';
import type { HttpResponse } from '../flow/types.js';
import type { HarEntry, HarEventSourceMessage } from './types.js';
import { seconds, some } from './websocket-har.js';
import { leftOut, type Writer } from './writer.js';

/** Writes the events of an event stream. `notes`: what is missing in the file, a sentence each. */
export function eventEntry(
  { events = [], eventsTruncated }: HttpResponse,
  writer: Writer,
): Pick<HarEntry, '_eventSourceMessages'> & { notes: string[] } {
  const written = some(events, writer, messageOf);
  const notes: string[] = [];
  if (written.length < events.length) {
    notes.push(leftOut(`What came after the first ${written.length} of ${events.length} events was`));
  }
  if (eventsTruncated) notes.push(`What came after the first ${events.length} events was not recorded.`);
  return { _eventSourceMessages: written, notes };
}

function messageOf(
  { event, id, data, retry, timestamp }: ServerSentEvent,
  writer: Writer,
): HarEventSourceMessage {
  const result: HarEventSourceMessage = { time: seconds(timestamp), eventName: event, eventId: id, data: '' };
  if (retry !== undefined) result._retry = retry;
  if (data.length <= writer.left) {
    writer.left -= data.length;
    result.data = data;
  } else {
    result.comment = leftOut(`The data (${data.length} characters) was`);
  }
  return result;
}
