import type { WebSocketPeer } from '../flow/payload-types.js';
import type { WebSocketMessageRecord } from '../flow/websocket.js';
import type { Transport } from '../tcp/transport.js';
import type { AssembledMessage } from './assembler.js';
import { BINARY, encodeFrame, TEXT } from './frame.js';

/** What a lane tells the session. */
export interface LaneEvents {
  /** A message is there; it is recorded. */
  message(message: AssembledMessage): WebSocketMessageRecord;
  /** Lets the hooks see a message. Returns a promise if one of them did; it is never rejected. */
  hooks(message: WebSocketMessageRecord): Promise<void> | undefined;
  /** The message is final: nobody may change it any more. */
  messageDone(message: WebSocketMessageRecord): void;
  /** A message of the session's own goes out. */
  injected(message: OwnMessage): void;
  ping(type: 'ping' | 'pong', data: Buffer): void;
  close(code: number | undefined, reason: string): void;
  violation(code: number, what: string): void;
}

/** A message that `send()` makes. */
export interface OwnMessage {
  type: 'text' | 'binary';
  data: Buffer;
}

/** Why a source is paused. */
export const TARGET_FULL = 1;
export const INFLATER_FULL = 2;
export const MESSAGE_HELD = 4;

/** One direction of a WebSocket, from one end to the other. */
export abstract class Lane {
  /** A close frame has passed. */
  closeSeen = false;
  /** Nothing passes any more. */
  protected over = false;
  #paused = 0;
  #onIdle: (() => void)[] = [];

  constructor(
    readonly from: WebSocketPeer,
    protected readonly source: Transport,
    protected readonly target: Transport,
  ) {}

  /** Octets of a message that is not whole, if there is one. */
  abstract get unfinished(): number | undefined;
  /** Messages of the session's own that wait. */
  abstract get unsent(): number;
  abstract data(bytes: Buffer): void;
  /** Sends a message, as soon as it does not stand in the middle of another one. */
  protected abstract sendOwn(message: OwnMessage): void;

  /** Sends a message of the session's own. @returns whether it will go out */
  inject(message: OwnMessage): boolean {
    if (this.over || this.closeSeen) return false;
    this.sendOwn(message);
    return true;
  }

  /** The target has taken what was written. */
  drained(): void {
    this.unpause(TARGET_FULL);
  }

  /** Nothing passes from now on. What comes is read and dropped. */
  stop(): void {
    this.over = true;
    this.unpause(TARGET_FULL | INFLATER_FULL | MESSAGE_HELD);
  }

  /** Calls back once everything that has come has gone its way. */
  whenIdle(then: () => void): void {
    if ((this.#paused & MESSAGE_HELD) === 0) then();
    else this.#onIdle.push(then);
  }

  /** Calls back once everything that has come is recorded, and the hooks have seen it. */
  whenRecorded(then: () => void): void {
    this.whenIdle(then);
  }

  protected write(bytes: Buffer, written?: () => void): void {
    if (!this.target.write(bytes, written)) this.pause(TARGET_FULL);
  }

  protected pause(why: number): void {
    if (this.over) return;
    if (this.#paused === 0) this.source.pause();
    this.#paused |= why;
  }

  protected unpause(why: number): void {
    const before = this.#paused;
    this.#paused &= ~why;
    if (before !== 0 && this.#paused === 0) this.source.resume();
    if ((before & MESSAGE_HELD) !== 0 && (this.#paused & MESSAGE_HELD) === 0) {
      for (const then of this.#onIdle.splice(0)) then();
    }
  }

  /** A whole message in one frame, not compressed: it may stand between compressed ones (RFC 7692 section 6). */
  protected frameOf({ type, data }: OwnMessage): Buffer {
    return encodeFrame({ opcode: type === 'text' ? TEXT : BINARY, fin: true, masked: this.masks }, data);
  }

  /** Frames to a server are masked. */
  protected get masks(): boolean {
    return this.from === 'client';
  }
}
