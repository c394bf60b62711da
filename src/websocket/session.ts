import { type FlowErrorCode, messageOf } from '../errors.js';
import type { FlowRecord } from '../flow/flow.js';
import type { WebSocketPeer, WebSocketPing } from '../flow/payload-types.js';
import { now } from '../flow/transfer.js';
import type { AnsweredFlow } from '../flow/types.js';
import { type WebSocketControl, WebSocketMessageRecord, WebSocketRecord } from '../flow/websocket.js';
import { type AssemblerSetup, BEARABLE } from './assembler.js';
import { BufferedLane } from './buffered-lane.js';
import { type End, Ends, type Handed, type Lanes, otherPeer } from './ends.js';
import { parseExtensions } from './extensions.js';
import { closeFrame } from './frame.js';
import type { Lane, LaneEvents, OwnMessage } from './lane.js';
import type { WebSocketServices } from './services.js';
import { StreamedLane } from './streamed-lane.js';
import { Turns } from './turns.js';

/** Each is compared with those before. */
const MOST_WARNINGS = 100;

/** Pings and pongs that are recorded. */
const MOST_PINGS = 10_000;

/** What a session is made of: the ends of the connection whose handshake is done. */
export interface SessionEnds {
  client: Handed;
  origin: Handed;
}

/**
 * A WebSocket between its two ends: a lane each way, and what concerns both. It owns `flow.websocket`, and the flow's
 * end.
 */
export class WebSocketSession implements WebSocketControl {
  readonly #ends: Ends;
  #lanes: Lanes | undefined;
  readonly #early: { to: WebSocketPeer; message: OwnMessage }[] = [];
  #over = false;

  /** Takes the connections over; nothing passes before {@link open}. */
  constructor(
    private readonly flow: FlowRecord,
    ends: SessionEnds,
    private readonly services: WebSocketServices,
  ) {
    this.#ends = new Ends(ends.client, ends.origin, {
      left: (peer) => this.#left(peer),
      gone: () => this.#finish(),
    });
  }

  /** The handshake is done: the flow is one of a WebSocket from now on, and the session has its end in hand. */
  begin(): void {
    const { flow, services } = this;
    const stream = services.options.streamWebsockets;
    flow.websocket = new WebSocketRecord(flow, { stream, control: this }, services.webSocketWaiter(flow));
    services.sessions.add(this);
  }

  /** Runs `websocketStart`, and lets messages pass. */
  open(): void {
    if (this.#over) return;
    this.#hook('websocketStart', () => this.#start());
  }

  /** Ends it at once, in an error. */
  fail(code: FlowErrorCode, message: string, cause?: unknown): void {
    if (this.#over) return;
    this.#setError(code, message, cause);
    this.#ends.destroy();
    this.#finish();
  }

  send(to: WebSocketPeer, type: 'text' | 'binary', data: Buffer): boolean {
    if (this.#over) return false;
    const message = { type, data };
    if (this.#lanes === undefined) {
      this.#early.push({ to, message });
      return true;
    }
    const lane = this.#lanes[otherPeer(to)];
    if (this.#ends[to].closed || this.#ends[lane.from].ended) return false;
    return lane.inject(message);
  }

  #start(): void {
    const { flow, services } = this;
    const websocket = this.#record;
    if (this.#over) return;
    websocket.streamDecided = true;
    const { deflate, unknown } = parseExtensions(flow.response?.headers.get('sec-websocket-extensions'));
    const opaque = unknown.length > 0;
    if (opaque) {
      const how = `unknown extension ${unknown.join(', ')}: messages are neither recorded nor shown to hooks`;
      flow.warn(`websocket: ${how}`);
    }
    const streamed = websocket.stream || opaque;
    const turns = new Turns();
    const make = (from: End, to: End): Lane => {
      const setup: AssemblerSetup = {
        masked: from.peer === 'client',
        deflate: opaque ? undefined : deflate?.[from.peer],
        opaque,
        limit: streamed
          ? Math.min(services.options.maxStoredMessageSize, BEARABLE)
          : Number.POSITIVE_INFINITY,
        bearable: streamed ? Number.POSITIVE_INFINITY : BEARABLE,
        recycled: from.transport.lends,
      };
      const events = this.#laneEvents(from.peer, streamed);
      return streamed
        ? new StreamedLane(from.peer, from.transport, to.transport, setup, events, turns)
        : new BufferedLane(from.peer, from.transport, to.transport, setup, events);
    };
    const lanes = {
      client: make(this.#ends.client, this.#ends.server),
      server: make(this.#ends.server, this.#ends.client),
    };
    this.#lanes = lanes;
    services.happened(flow, 'websocketStart');
    for (const { to, message } of this.#early.splice(0)) this.send(to, message.type, message.data);
    this.#ends.open(lanes);
  }

  #laneEvents(from: WebSocketPeer, streamed: boolean): LaneEvents {
    const { flow, services } = this;
    const websocket = this.#record;
    return {
      message: (message) => {
        const record = new WebSocketMessageRecord(flow, message);
        websocket.messages.push(record);
        return record;
      },
      hooks: (message) => this.#messageHooks(message, streamed),
      messageDone: (message) => {
        message.truncate(services.options.maxStoredMessageSize);
        services.happened(flow, 'websocketMessage');
      },
      injected: (message) => this.#injected(from, message),
      ping: (type, data) => {
        this.#ping({ from, type, data, timestamp: now() });
        flow.progressed();
      },
      close: (code, reason) => {
        this.#noteClose(from, code ?? 1005, reason);
        flow.progressed();
      },
      violation: (code, what) => this.#violation(from, code, what, streamed),
    };
  }

  #ping(ping: WebSocketPing): void {
    const { pings } = this.#record;
    if (pings.length < MOST_PINGS) pings.push(ping);
    else this.flow.warn(`websocket: pings and pongs after the first ${MOST_PINGS} are not recorded`);
  }

  #injected(from: WebSocketPeer, { type, data }: OwnMessage): void {
    const parts = [{ bytes: data, start: 0, end: data.length, key: undefined, phase: 0 }];
    const { length: size } = data;
    const facts = {
      from,
      type,
      timestamp: now(),
      parts,
      fragments: [size],
      size,
      truncated: false,
      injected: true,
    };
    const record = new WebSocketMessageRecord(this.flow, facts);
    record.final = 'but send() had made it';
    record.truncate(this.services.options.maxStoredMessageSize);
    this.#record.messages.push(record);
    this.services.happened(this.flow, 'websocketMessage');
  }

  #messageHooks(message: WebSocketMessageRecord, streamed: boolean): Promise<void> | undefined {
    const { flow, services } = this;
    const failed = (error: unknown) => {
      const what = `the websocketMessage hook threw: ${messageOf(error)}`;
      services.problem(error);
      if (streamed) flow.error ??= { code: 'HOOK_FAILED', message: what, cause: error };
      else this.#closeBoth('HOOK_FAILED', 1011, what, error);
    };
    flow.hook = 'websocketMessage';
    try {
      const running = services.runMessageHook(flow as FlowRecord & AnsweredFlow, message);
      if (running === undefined) return undefined;
      return running.catch(failed);
    } catch (error) {
      failed(error);
      return undefined;
    } finally {
      // Also while an asynchronous one goes on: the lanes' hooks run side by side, and a warning must not name the wrong one.
      flow.hook = undefined;
    }
  }

  #violation(from: WebSocketPeer, code: number, what: string, streamed: boolean): void {
    const message = `the ${from} sent ${what}`;
    if (!streamed) this.#closeBoth('WEBSOCKET_PROTOCOL', code, message);
    else if (this.flow.warnings.length < MOST_WARNINGS) this.flow.warn(`websocket: ${message}`);
    else this.flow.warn('websocket: there is more that RFC 6455 rules out, and that is not listed');
  }

  /** Tells both ends why it is over, and ends it in an orderly way. */
  #closeBoth(error: FlowErrorCode, code: number, message: string, cause?: unknown): void {
    if (this.#over || this.#lanes === undefined) return;
    this.#setError(error, message, cause);
    const websocket = this.#record;
    websocket.closeCode ??= code;
    websocket.closeReason ??= message;
    for (const { peer } of this.#ends.both) this.#lanes[peer].stop();
    for (const end of this.#ends.both) {
      const { peer, transport } = end;
      const told = this.#lanes[otherPeer(peer)].closeSeen;
      if (!told) transport.write(closeFrame(code, message, peer === 'server'));
      this.#ends.close(end);
      // What it still sends is read and dropped, so that its own end is seen.
      transport.resume();
    }
  }

  #left(peer: WebSocketPeer): void {
    const unfinished = this.#lanes?.[peer].unfinished;
    if (unfinished !== undefined && this.flow.error === undefined) {
      const came = `${unfinished} octets of its payload had come`;
      this.flow.warn(
        `websocket: the connection ended in the middle of a message from the ${peer}, which is not recorded (${came})`,
      );
    }
    this.#noteClose(peer, 1006, '');
  }

  #noteClose(from: WebSocketPeer, code: number, reason: string): void {
    const websocket = this.#record;
    if (websocket.closeCode !== undefined) return;
    websocket.closeCode = code;
    websocket.closeReason = reason;
    websocket.closedBy = from;
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.services.sessions.delete(this);
    const websocket = this.#record;
    this.#lanes?.client.stop();
    this.#lanes?.server.stop();
    this.#warnOfUnsent();
    websocket.closeCode ??= 1006;
    websocket.closeReason ??= '';
    websocket.settle(this.services.options.maxStoredMessageSize);
    this.flow.progressed();
    this.#hook('websocketEnd', () => {
      this.flow.settle();
      this.services.happened(this.flow, 'websocketEnd');
    });
  }

  #warnOfUnsent(): void {
    for (const to of ['client', 'server'] as const) {
      const unsent = this.#lanes?.[otherPeer(to)].unsent ?? 0;
      if (unsent === 0) continue;
      const what = `${unsent} message${unsent === 1 ? '' : 's'} of send() to the ${to} did not go out`;
      this.flow.warn(`websocket: ${what}: the connection ended in the middle of another message, or frame`);
    }
  }

  #hook(hook: 'websocketStart' | 'websocketEnd', next: () => void): void {
    const { flow, services } = this;
    const failed = (error: unknown) => {
      flow.hook = undefined;
      services.problem(error);
      const message = `the ${hook} hook threw: ${messageOf(error)}`;
      if (hook === 'websocketStart') {
        this.fail('HOOK_FAILED', message, error);
      } else {
        this.#setError('HOOK_FAILED', message, error);
        next();
      }
    };
    flow.hook = hook;
    try {
      const running = services.runHook(hook, flow);
      if (running === undefined) {
        flow.hook = undefined;
        next();
        return;
      }
      running.then(() => {
        flow.hook = undefined;
        next();
      }, failed);
    } catch (error) {
      failed(error);
    }
  }

  #setError(code: FlowErrorCode, message: string, cause: unknown): void {
    this.flow.error ??= cause === undefined ? { code, message } : { code, message, cause };
  }

  get #record(): WebSocketRecord {
    const { websocket } = this.flow;
    if (websocket === undefined) throw new Error('a WebSocket session that was not begun');
    return websocket;
  }
}
