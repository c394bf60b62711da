import { SluiceError, shown } from '../errors.js';
import { mediaType } from './content.js';
import { EventLog, EventSearch, type ServerSentEventRecord } from './events.js';
import type { Headers } from './headers.js';
import { type MessageOwner, MessageRecord } from './message.js';
import type { EventWait, ServerSentEvent, ServerSentEventMatch } from './payload-types.js';
import type { HttpResponse } from './types.js';

export class ResponseRecord extends MessageRecord implements HttpResponse {
  #status: number;
  #statusText: string;
  readonly httpVersion: string;
  #events: EventLog | undefined;

  constructor(
    owner: MessageOwner,
    head: { status: number; statusText: string; version: string; headers: Headers },
  ) {
    super(owner, head.headers, 'response');
    this.#status = head.status;
    this.#statusText = head.statusText;
    this.httpVersion = head.version;
  }

  protected override startLine(): string {
    return `${this.#status} ${this.#statusText}`;
  }

  get status(): number {
    return this.#status;
  }

  set status(value: number) {
    if (!Number.isInteger(value) || value < 200 || value > 999) {
      throw new SluiceError('BAD_HEADER', `${shown(value)} is not a final status; 200 to 999 is`);
    }
    if (this.headMayChange('status')) this.#status = value;
  }

  get statusText(): string {
    return this.#statusText;
  }

  set statusText(value: string) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new SluiceError(
        'BAD_HEADER',
        `${shown(value)} is not a reason phrase; latin1 text on one line is`,
      );
    }
    if (this.headMayChange('statusText')) this.#statusText = value;
  }

  get events(): ServerSentEventRecord[] | undefined {
    return this.eventLog?.events;
  }

  get eventsTruncated(): boolean {
    return this.eventLog?.truncated === true;
  }

  waitForEvent(match: ServerSentEventMatch, options: EventWait = {}): Promise<ServerSentEvent> {
    const search = new EventSearch(this, match, options);
    return this.owner.waitForEvent?.(search, options) ?? search.outcome(this.waitForEvent);
  }

  /** There for an event stream. Of a recorded one it follows the body. */
  get eventLog(): EventLog | undefined {
    if (this.#events === undefined) {
      if (mediaType(this.headers.get('content-type')) !== 'text/event-stream') return undefined;
      this.#events = new EventLog();
    }
    if (this.bodyStatus === 'recorded') this.#events.read(this);
    return this.#events;
  }
}
