import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import { type FlowError, SluiceError, shown } from '../errors.js';
import type { TcpFlow, TcpMessage, TcpPeer } from './tcp-types.js';
import { now } from './transfer.js';
import type { ClientInfo, ServerInfo } from './types.js';

const INSPECT = Symbol.for('nodejs.util.inspect.custom');
/** Messages of a flow that are kept, and the octets that they may have together. */
const MOST_MESSAGES = 10_000;
const MOST_OCTETS = 64 * 1024 * 1024;

/** The record of a message. The relay writes it; tests read it, and hooks edit it while it has not been sent. */
export class TcpMessageRecord implements TcpMessage {
  readonly timestamp = now();
  size: number;
  edited = false;
  truncated = false;
  /** It has been sent. */
  final = false;
  readonly #flow: TcpFlowRecord;
  #data: Buffer;

  /** @param data its own, to be kept */
  constructor(
    flow: TcpFlowRecord,
    readonly from: TcpPeer,
    data: Buffer,
  ) {
    this.#flow = flow;
    this.#data = data;
    this.size = data.length;
  }

  get data(): Buffer {
    return this.#data;
  }

  set data(value: Uint8Array | string) {
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new SluiceError('BAD_BODY', `${shown(value)} is no data; a string, Buffer or Uint8Array is`);
    }
    if (this.final) {
      this.#flow.warn('tcp message: data was assigned after it had been sent, and has no effect');
      return;
    }
    this.#data = Buffer.from(value as Uint8Array);
    this.size = this.#data.length;
    this.edited = true;
  }

  text(): string {
    return this.#data.toString();
  }

  /** What `console.log` shows. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    const { from, size, data } = this;
    return `TcpMessage ${inspect({ from, size, data }, options)}`;
  }

  /** Keeps no more than `limit` octets. */
  truncate(limit: number): void {
    if (this.#data.length <= limit) return;
    // A copy, or the rest would stay with it.
    this.#data = Buffer.from(this.#data.subarray(0, limit));
    this.truncated = true;
  }
}

/** The record of a TCP connection. */
export class TcpFlowRecord implements TcpFlow {
  readonly type = 'tcp';
  readonly messages: TcpMessageRecord[] = [];
  readonly received: Record<TcpPeer, number> = { client: 0, server: 0 };
  readonly warnings: string[] = [];
  readonly metadata = new Map<string, unknown>();
  readonly startedAt = now();
  server?: ServerInfo;
  truncated = false;
  error?: FlowError;
  endedAt?: number;
  #room = MOST_OCTETS;
  #kill: (() => void) | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly id: string,
    readonly client: ClientInfo,
    kill: () => void,
  ) {
    this.#kill = kill;
  }

  kill(): void {
    this.#kill?.();
  }

  warn(what: string): void {
    if (!this.warnings.includes(what)) this.warnings.push(what);
  }

  /**
   * Records what was read and is on its way. Once something is left out, so is all that comes after it.
   * @param borrowed the octets are valid for now only
   * @param limit octets of a message that are kept
   */
  keep(from: TcpPeer, bytes: Buffer, borrowed: boolean, limit: number): void {
    if (this.#isFull()) return;
    const octets = Math.min(bytes.length, limit, this.#room);
    const owned = borrowed || octets < bytes.length ? Buffer.from(bytes.subarray(0, octets)) : bytes;
    const message = new TcpMessageRecord(this, from, owned);
    message.size = bytes.length;
    message.truncated = octets < bytes.length;
    this.hold(message);
    this.settle(message, limit);
  }

  /** Records a message that hooks may still change. */
  hold(message: TcpMessageRecord): void {
    if (!this.#isFull()) this.messages.push(message);
  }

  /** A message has been sent: it is kept as it is, as far as there is room. */
  settle(message: TcpMessageRecord, limit: number): void {
    message.final = true;
    message.truncate(Math.min(limit, this.#room));
    this.#room -= message.data.length;
    if (this.#room === 0 && message.truncated) this.truncated = true;
  }

  /** Nothing happens to it any more. */
  end(): void {
    this.endedAt = now();
    this.#kill = undefined;
    this.progressed();
  }

  get settled(): boolean {
    return this.endedAt !== undefined;
  }

  /** Calls back whenever the flow has come further. @returns what stops it */
  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  progressed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** What `console.log` shows: the record, not the machinery. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    const { id, client, server, received, messages, error, warnings } = this;
    const shownFlow = {
      id,
      client,
      server,
      received,
      messages,
      error,
      ...(warnings.length > 0 && { warnings }),
    };
    return `TcpFlow ${inspect(shownFlow, options)}`;
  }

  #isFull(): boolean {
    this.truncated ||= this.messages.length === MOST_MESSAGES || this.#room === 0;
    return this.truncated;
  }
}
