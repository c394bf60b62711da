import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import { messageOf, SluiceError, shown } from '../errors.js';
import { describeClosing, describeMessage } from './describe-message.js';
import { applyMask } from './mask.js';
import type { MessageOwner } from './message.js';
import type {
  MessageWait,
  WebSocketData,
  WebSocketMessage,
  WebSocketMessageMatch,
  WebSocketPeer,
  WebSocketPing,
} from './payload-types.js';
import { now } from './transfer.js';
import { compileMessageMatch, type MessageGoal } from './websocket-match.js';

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Payload octets as they were on the wire. Masked ones are unmasked when somebody looks: most never are. */
export interface StoredPart {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** The frame's masking key, as {@link applyMask} takes it; `undefined` if the octets are not masked. */
  readonly key: number | undefined;
  /** Octets of the frame's payload before these. */
  readonly phase: number;
}

/** What is known of a message when it has come to its end. */
export interface MessageFacts {
  from: WebSocketPeer;
  type: 'text' | 'binary';
  timestamp: number;
  parts: StoredPart[];
  fragments: number[];
  size: number;
  truncated: boolean;
  injected?: boolean;
}

/** The record of a message. The relay writes it; tests read it, and hooks edit it while it has not been sent. */
export class WebSocketMessageRecord implements WebSocketMessage {
  readonly from: WebSocketPeer;
  readonly type: 'text' | 'binary';
  readonly timestamp: number;
  readonly injected: boolean;
  size: number;
  truncated: boolean;
  dropped = false;
  edited = false;
  /** Why it can't be changed; `undefined` while it can. */
  final: string | undefined;
  readonly #owner: MessageOwner;
  // Most messages are of one frame in one read: suites keep all of them, so they are kept small.
  readonly #fragments: number | number[];
  #content: Buffer | StoredPart | StoredPart[];

  constructor(owner: MessageOwner, facts: MessageFacts) {
    this.#owner = owner;
    this.from = facts.from;
    this.type = facts.type;
    this.timestamp = facts.timestamp;
    this.#fragments = only(facts.fragments) ?? facts.fragments;
    this.injected = facts.injected === true;
    this.size = facts.size;
    this.truncated = facts.truncated;
    this.#content = only(facts.parts) ?? facts.parts;
  }

  get data(): Buffer {
    if (!Buffer.isBuffer(this.#content)) {
      this.#content = joined(Array.isArray(this.#content) ? this.#content : [this.#content]);
    }
    return this.#content;
  }

  set data(value: Uint8Array | string) {
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new SluiceError(
        'BAD_BODY',
        `${shown(value)} is not a payload; a string, Buffer or Uint8Array is`,
      );
    }
    if (!this.#mayChange('data was assigned')) return;
    this.#content = Buffer.from(value as Uint8Array);
    this.size = this.#content.length;
    this.edited = true;
  }

  get fragments(): number[] {
    return typeof this.#fragments === 'number' ? [this.#fragments] : this.#fragments;
  }

  text(): string {
    return this.data.toString();
  }

  json<T = unknown>(): T {
    const text = this.text();
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const cut = this.truncated ? ' (only its beginning is stored: maxStoredMessageSize)' : '';
      throw new SluiceError(
        'BAD_BODY',
        `the message is not JSON${cut}: ${messageOf(error)}: ${shown(text)}`,
        {
          cause: error,
        },
      );
    }
  }

  /** What `console.log` shows. */
  [INSPECT](): string {
    return `WebSocketMessage ${describeMessage(this)}`;
  }

  drop(): void {
    if (this.#mayChange('drop() was called')) this.dropped = true;
  }

  /** Keeps no more than `limit` octets. */
  truncate(limit: number): void {
    if (this.size <= limit || this.truncated) return;
    const content = this.#content;
    const kept = Buffer.isBuffer(content)
      ? content.subarray(0, limit)
      : joined(firstOf(Array.isArray(content) ? content : [content], limit));
    // A copy, or the rest would stay with it.
    this.#content = Buffer.from(kept);
    this.truncated = true;
  }

  #mayChange(what: string): boolean {
    if (this.final === undefined) return true;
    this.#owner.warn(`websocket message: ${what} ${this.final}: it has no effect`);
    return false;
  }
}

/** The parts of the first octets. */
function firstOf(parts: readonly StoredPart[], octets: number): StoredPart[] {
  const first: StoredPart[] = [];
  let room = octets;
  for (const part of parts) {
    if (room === 0) break;
    const end = Math.min(part.end, part.start + room);
    first.push({ ...part, end });
    room -= end - part.start;
  }
  return first;
}

/** The element of a list that has one. */
function only<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}

function joined(parts: readonly StoredPart[]): Buffer {
  const one = only(parts);
  if (one !== undefined && one.key === undefined) return one.bytes.subarray(one.start, one.end);
  const whole = Buffer.allocUnsafe(parts.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for (const { bytes, start, end, key, phase } of parts) {
    bytes.copy(whole, at, start, end);
    const next = at + end - start;
    if (key !== undefined) applyMask(whole, at, next, key, phase);
    at = next;
  }
  return whole;
}

/** What a WebSocket's record asks of the relay; gone once the connection is over. */
export interface WebSocketControl {
  /** Returns whether it will go out. */
  send(to: WebSocketPeer, type: 'text' | 'binary', data: Buffer): boolean;
}

/** Waits on behalf of a test. */
export interface WebSocketWaiter {
  message(goal: MessageGoal, options: MessageWait): Promise<WebSocketMessage>;
  close(options: { timeout?: number; signal?: AbortSignal }): Promise<void>;
}

/** The record of a WebSocket. */
export class WebSocketRecord implements WebSocketData {
  readonly messages: WebSocketMessageRecord[] = [];
  readonly pings: WebSocketPing[] = [];
  closeCode?: number;
  closeReason?: string;
  closedBy?: WebSocketPeer;
  closed = false;
  endedAt?: number;
  /** The decision about streaming has been taken. */
  streamDecided = false;
  #stream: boolean;
  #control: WebSocketControl | undefined;
  readonly #owner: MessageOwner;
  readonly #waiter: WebSocketWaiter;

  constructor(
    owner: MessageOwner,
    setup: { stream: boolean; control: WebSocketControl },
    waiter: WebSocketWaiter,
  ) {
    this.#owner = owner;
    this.#waiter = waiter;
    this.#stream = setup.stream;
    this.#control = setup.control;
  }

  get stream(): boolean {
    return this.#stream;
  }

  set stream(value: boolean) {
    if (typeof value !== 'boolean') {
      throw new SluiceError(
        'BAD_MATCH',
        `websocket.stream: ${shown(value)} is not accepted; give true or false`,
      );
    }
    if (this.streamDecided) {
      this.#owner.warn(
        'websocket.stream was set after the decision was taken and has no effect; set it in websocketStart',
      );
      return;
    }
    this.#stream = value;
  }

  send(to: WebSocketPeer, data: string | Uint8Array): void {
    if (to !== 'client' && to !== 'server') {
      throw new SluiceError(
        'BAD_OPTION',
        `websocket.send: ${shown(to)} is not accepted; give 'client' or 'server'`,
      );
    }
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw new SluiceError(
        'BAD_BODY',
        `websocket.send: ${shown(data)} is not a payload; a string, Buffer or Uint8Array is`,
      );
    }
    const type = typeof data === 'string' ? 'text' : 'binary';
    // A copy: what the caller does with its own afterwards is its affair.
    if (this.#control?.send(to, type, Buffer.from(data as Uint8Array)) === true) return;
    this.#owner.warn(
      `websocket.send('${to}', …) was called when the connection was closing, and has no effect`,
    );
  }

  waitForMessage(match: WebSocketMessageMatch, options: MessageWait = {}): Promise<WebSocketMessage> {
    return this.#waiter.message(compileMessageMatch(match, 'waitForMessage', options.from), options);
  }

  waitForClose(options: { timeout?: number; signal?: AbortSignal } = {}): Promise<void> {
    return this.#waiter.close(options);
  }

  /** What `console.log` shows: what was recorded, not the machinery. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    const { stream, messages, pings } = this;
    return `WebSocket (${describeClosing(this)}) ${inspect({ stream, messages, pings }, options)}`;
  }

  /** The connection is over: nothing of it is kept. @param limit octets of a message that are stored */
  settle(limit = Number.POSITIVE_INFINITY): void {
    for (const message of this.messages) {
      if (message.final !== undefined) continue;
      message.final = 'after the connection was over';
      message.truncate(limit);
    }
    this.closed = true;
    this.endedAt = now();
    this.#control = undefined;
  }
}
