/**
 * The server-sent events of a response: recorded, searched, waited for.
 * @module
 */
import { isSluiceError, messageOf, SluiceError, shown } from '../errors.js';
import { decodeContent } from './content.js';
import { listEvents } from './describe-event.js';
import { compileEventMatch, type EventGoal } from './event-match.js';
import { EventStreamParser, type ParsedEvent } from './event-stream.js';
import type { EventWait, ServerSentEvent, ServerSentEventMatch } from './payload-types.js';
import { flowOf, isHeadFinal, isOver } from './progress.js';
import { now } from './transfer.js';
import type { HttpResponse, Message } from './types.js';

/** Events of a response that are kept, and the UTF-16 units of text that they may have together. */
const MOST_EVENTS = 10_000;
const MOST_TEXT = 64 * 1024 * 1024;

/** The record of an event. */
export class ServerSentEventRecord implements ServerSentEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
  readonly retry: number | undefined;

  constructor(
    parsed: ParsedEvent,
    readonly timestamp: number,
  ) {
    this.event = parsed.event;
    this.data = parsed.data;
    this.id = parsed.id;
    this.retry = parsed.retry;
  }

  json<T = unknown>(): T {
    try {
      return JSON.parse(this.data) as T;
    } catch (error) {
      const why = `${messageOf(error)}; it begins ${shown(this.data.slice(0, 80))}`;
      throw new SluiceError('BAD_BODY', `the event's data is not JSON: ${why}`, { cause: error });
    }
  }
}

/** The events of one response, as many as are kept. */
export class EventLog {
  readonly events: ServerSentEventRecord[] = [];
  truncated = false;
  #room = MOST_TEXT;
  /** The recorded body that they are of. */
  #body: Buffer | undefined;

  /** Once something is left out, so is all that comes after it. */
  add(parsed: ParsedEvent, timestamp: number): void {
    const { event, data, id } = parsed;
    // Events share the id that they have in common.
    this.#room -= event.length + data.length + (id === this.events.at(-1)?.id ? 0 : id.length);
    this.truncated ||= this.#room < 0 || this.events.length === MOST_EVENTS;
    if (!this.truncated) this.events.push(new ServerSentEventRecord(parsed, timestamp));
  }

  /** Takes the events of a recorded body, unless these are they. */
  read({ rawBody, headers, transfer }: Message): void {
    if (this.#body === rawBody) return;
    this.#body = rawBody;
    this.events.length = 0;
    this.#room = MOST_TEXT;
    this.truncated = false;
    const timestamp = transfer.endedAt ?? now();
    try {
      const parser = new EventStreamParser((parsed) => this.add(parsed, timestamp));
      if (!parser.write(decodeContent(rawBody, headers.get('content-encoding')))) this.truncated = true;
    } catch (error) {
      // Reading `body` says what is wrong with it.
      if (!isSluiceError(error)) throw error;
      this.truncated = true;
    }
  }
}

/** The events that stay as they are: a recorded body can be edited until it is sent. */
export function finalEvents(response: HttpResponse): readonly ServerSentEvent[] {
  return response.bodyStatus === 'streamed' || isOver(response) ? (response.events ?? []) : [];
}

/** Why a response will have no event besides those that it has; `undefined` while it may. */
export function whyNoMoreEvents(response: HttpResponse): string | undefined {
  if (response.events === undefined && isHeadFinal(response)) {
    return `the response is ${response.headers.get('content-type') ?? 'without Content-Type'}, no event stream`;
  }
  if (isOver(response)) {
    const error = response.complete ? undefined : flowOf(response)?.error;
    return error === undefined
      ? 'the event stream has ended'
      : `the flow failed: ${error.message} (${error.code})`;
  }
  return response.eventsTruncated ? 'what came after the last of these events was not recorded' : undefined;
}

/** A search for an event, which looks at each but once. */
export class EventSearch {
  /** As it was typed, for messages. */
  readonly what: string;
  hit: ServerSentEvent | undefined;
  readonly #goal: EventGoal;
  /** The first that has not been looked at. */
  #next: number;

  /** @throws SluiceError BAD_MATCH */
  constructor(
    private readonly response: HttpResponse,
    match: ServerSentEventMatch,
    { event, after }: EventWait,
  ) {
    this.#goal = compileEventMatch(match, 'waitForEvent', event);
    this.#next = after === undefined ? 0 : (response.events ?? []).indexOf(after) + 1;
    if (after !== undefined && this.#next === 0) {
      const given = 'after is no event of this response; give one of flow.response.events';
      throw new SluiceError('BAD_MATCH', `waitForEvent: ${given}`);
    }
    this.what = `waitForEvent(${this.#goal.describe})`;
  }

  /** Whether it is there. @throws what the caller's function throws */
  look(): boolean {
    if (this.hit !== undefined) return true;
    const events = finalEvents(this.response);
    while (this.#next < events.length && this.hit === undefined) {
      const event = events[this.#next++];
      if (event !== undefined && this.#goal.test(event)) this.hit = event;
    }
    return this.hit !== undefined;
  }

  /** Why it will not come, once that is certain. */
  vain(): SluiceError | undefined {
    const why = whyNoMoreEvents(this.response);
    return why === undefined ? undefined : this.#ended(why);
  }

  /** What came instead, for messages. */
  seen(): string {
    return listEvents(this.response.events ?? []) || 'No events were recorded.';
  }

  /** What the search comes to where nothing more happens. @param asked the method whose caller errors point at */
  outcome(asked: (...args: never[]) => unknown): Promise<ServerSentEvent> {
    const outcome = new Promise<ServerSentEvent>((resolve, reject) => {
      if (this.look() && this.hit !== undefined) return resolve(this.hit);
      const error = this.vain() ?? this.#ended('nothing more is recorded of this flow');
      Error.captureStackTrace(error, asked);
      reject(error);
    });
    // Whoever waits may await later: until then a rejection is not unhandled, it is only early.
    outcome.catch(() => undefined);
    return outcome;
  }

  #ended(why: string): SluiceError {
    return new SluiceError('WAIT_ENDED', `${this.what}: ${why}\n\n${this.seen()}`);
  }
}
