/**
 * Server-sent events in words, for failure messages.
 * @module
 */
import { type Listing, listItems, quoted } from './describe-message.js';
import type { ServerSentEvent } from './payload-types.js';

/** An event in one line: `message, id '7', retry 1000: '{"price":12}'`. */
export function describeEvent({ event, id, retry, data }: ServerSentEvent): string {
  const marks = [quoted(event).slice(1, -1)];
  if (id !== '') marks.push(`id ${quoted(id)}`);
  if (retry !== undefined) marks.push(`retry ${retry}`);
  return `${marks.join(', ')}: ${quoted(data)}`;
}

/** The latest events, a line each, with how many came before them. Empty without events. */
export function listEvents(
  events: readonly ServerSentEvent[],
  { heading = 'Events', note }: Partial<Listing<ServerSentEvent>> = {},
): string {
  return listItems(events, describeEvent, { heading, note });
}
