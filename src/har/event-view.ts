/**
 * What the HTML page shows of an event stream: its events as rows of strings.
 * @module
 */
import { payloadOf } from '../flow/event-match.js';
import type { ServerSentEvent } from '../flow/payload-types.js';
import type { HttpFlow } from '../flow/types.js';
import { CLOSED_STREAM, isClosedStream } from './failure.js';
import { formatBytes, formatDuration, plural, printable } from './text.js';
import { isInFlight, startOf } from './times.js';
import type { Pair } from './view.js';
import { type FrameView, leftOutHere, payloadView, rowsOf, type SocketView } from './websocket-view.js';

/** @param room rows that may be shown; the first and the last ones are, in equal shares */
export function eventsView(flow: HttpFlow, events: readonly ServerSentEvent[], room: number): SocketView {
  const start = startOf(flow);
  const gap = (items: readonly ServerSentEvent[]) => leftOutHere(plural(items.length, 'event'));
  const facts: Pair[] = [['received', plural(events.length, 'event')]];
  if (flow.response?.eventsTruncated) facts.push(['not recorded', 'what came after them']);
  const state = { end: 'ended', mood: 'good' as const };
  if (isInFlight(flow)) Object.assign(state, { end: 'open', mood: 'open' });
  else if (isClosedStream(flow)) state.end = CLOSED_STREAM;
  else if (flow.error !== undefined) Object.assign(state, { end: flow.error.code, mood: 'bad' });
  return {
    title: 'Events',
    facts,
    ...state,
    rows: rowsOf(events, room, (event) => eventView(event, start), gap),
  };
}

function eventView(event: ServerSentEvent, start: number): FrameView {
  const payload = payloadOf(event);
  const marks: string[] = [];
  if (event.id !== '') marks.push(`id ${printable(event.id)}`);
  if (event.retry !== undefined) marks.push(`retry ${event.retry}`);
  return {
    up: false,
    time: `+${formatDuration(Math.max(0, event.timestamp - start))}`,
    kind: 'text',
    ...(event.event === 'message' ? {} : { name: printable(event.event) }),
    size: formatBytes(payload.size),
    marks,
    ...payloadView(payload, marks),
  };
}
