import type { InspectOptions, inspect as nodeInspect } from 'node:util';
import type { FlowError } from '../errors.js';
import type { EventSearch } from './events.js';
import type { RequestRecord } from './message.js';
import type { EventWait, ServerSentEvent } from './payload-types.js';
import type { ResponseRecord } from './response.js';
import type { ClientInfo, HttpFlow, HttpInformational, RespondInit, ServerInfo } from './types.js';
import type { WebSocketRecord } from './websocket.js';

const BRAND = Symbol.for('sluice.flow');
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** What a flow asks of the exchange that owns it; gone once the exchange is over. */
export interface FlowControl {
  respond(init: RespondInit): void;
  kill(): void;
  waitForEvent(search: EventSearch, options: EventWait): Promise<ServerSentEvent>;
}

/** The record of one HTTP exchange. */
export class FlowRecord implements HttpFlow {
  readonly [BRAND] = true;
  readonly type = 'http';
  server?: ServerInfo;
  response?: ResponseRecord;
  websocket?: WebSocketRecord;
  error?: FlowError;
  /** The hook that is running, for warnings to name. */
  hook: string | undefined;
  /** Neither message nor a hook will change the flow any more. */
  settled = false;
  #request: RequestRecord | undefined;
  #control: FlowControl | undefined;
  // Made when first used: most flows need none of them, and all flows are kept.
  #informational: HttpInformational[] | undefined;
  #warnings: string[] | undefined;
  #metadata: Map<string, unknown> | undefined;
  #listeners: Set<() => void> | undefined;

  constructor(
    readonly id: string,
    readonly client: ClientInfo,
    control: FlowControl | undefined,
  ) {
    this.#control = control;
  }

  get request(): RequestRecord {
    if (this.#request === undefined) throw new Error('a flow without a request');
    return this.#request;
  }

  set request(request: RequestRecord) {
    this.#request = request;
  }

  get informational(): HttpInformational[] {
    this.#informational ??= [];
    return this.#informational;
  }

  get warnings(): string[] {
    this.#warnings ??= [];
    return this.#warnings;
  }

  get metadata(): Map<string, unknown> {
    this.#metadata ??= new Map();
    return this.#metadata;
  }

  get preflight(): boolean {
    const { method, headers } = this.request;
    return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method');
  }

  /** Both messages have ended, without an error. */
  get complete(): boolean {
    return this.error === undefined && this.request.complete && this.response?.complete === true;
  }

  respond(init: RespondInit): void {
    if (this.#control === undefined)
      this.warn('respond() was called after the exchange was over and has no effect');
    else this.#control.respond(init);
  }

  kill(): void {
    this.#control?.kill();
  }

  waitForEvent(search: EventSearch, options: EventWait): Promise<ServerSentEvent> | undefined {
    return this.#control?.waitForEvent(search, options);
  }

  warn(what: string): void {
    const sentence = this.hook === undefined ? what : `${what} (in the ${this.hook} hook)`;
    if (!this.warnings.includes(sentence)) this.warnings.push(sentence);
  }

  /** Calls back whenever the flow, or one of its messages, has come further. @returns what stops it */
  onProgress(listener: () => void): () => void {
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }

  progressed(): void {
    if (this.#listeners === undefined) return;
    for (const listener of [...this.#listeners]) listener();
  }

  /** `GET https://app.test/ → 200 OK`, or the error's code in place of a status. */
  toString(): string {
    return `${this.request} → ${this.error?.code ?? this.response ?? 'no response yet'}`;
  }

  /** What `console.log` shows: the exchange, not the machinery. */
  [INSPECT](_depth: number, options: InspectOptions, inspect: typeof nodeInspect): string {
    const { id, request, response, websocket, error, warnings } = this;
    const special = { ...(websocket && { websocket }), ...(warnings.length > 0 && { warnings }) };
    const shown = { id, request, response, error, ...special };
    return `HttpFlow ${inspect(shown, options)}`;
  }

  /** The exchange is over: nothing of it is kept. */
  settle(): void {
    this.settled = true;
    this.#control = undefined;
  }
}

/** Whether `value` is a flow, from whichever copy of the package. */
export function isFlow(value: unknown): value is HttpFlow {
  return typeof value === 'object' && value !== null && BRAND in value;
}
