import type { EventSearch } from '../flow/events.js';
import type { FlowRecord } from '../flow/flow.js';
import type { EventWait, ServerSentEvent } from '../flow/payload-types.js';
import type { RespondInit } from '../flow/types.js';
import type { Route } from '../origin/origins.js';
import type { ConnectionPin, OriginStream } from '../origin/stream.js';
import type { StreamRules } from '../stream/rules.js';
import type { WebSocketMoment, WebSocketServices } from '../websocket/services.js';

/** The hooks of one exchange. */
export type FlowHook = 'requestHeaders' | 'request' | 'responseHeaders' | 'response' | 'error';

/** Something that went on in a flow, for waits. */
export type FlowMoment = FlowHook | 'event' | 'complete' | WebSocketMoment;

/** What an exchange needs of the proxy. */
export interface ExchangeServices extends WebSocketServices {
  readonly streamRules: StreamRules;
  /** Runs a hook's handlers in order. Returns a promise only if one of them did. */
  runHook(hook: FlowHook | 'websocketStart' | 'websocketEnd', flow: FlowRecord): Promise<void> | undefined;
  /** The answer of the first rule that has one. */
  answerFor(flow: FlowRecord): RespondInit | undefined | Promise<RespondInit | undefined>;
  /** A connection to an origin. @throws OriginFailure */
  acquire(route: Route, fresh: boolean, pin: ConnectionPin): OriginStream | Promise<OriginStream>;
  /** A flow began. */
  started(flow: FlowRecord): void;
  happened(flow: FlowRecord, moment: FlowMoment): void;
  waitForEvent(flow: FlowRecord, search: EventSearch, options: EventWait): Promise<ServerSentEvent>;
}
