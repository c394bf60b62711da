import type { FlowRecord } from '../flow/flow.js';
import type { WebSocketMessage } from '../flow/payload-types.js';
import type { AnsweredFlow } from '../flow/types.js';
import type { WebSocketWaiter } from '../flow/websocket.js';
import type { ResolvedOptions } from '../options/types.js';
import type { WebSocketSession } from './session.js';

/** Something that goes on in a WebSocket's flow. */
export type WebSocketMoment = 'websocketStart' | 'websocketMessage' | 'websocketEnd';

/** What a WebSocket needs of the proxy. */
export interface WebSocketServices {
  readonly options: ResolvedOptions;
  /** Those that are open, to be ended with the proxy. */
  readonly sessions: Set<WebSocketSession>;
  /** Runs a hook's handlers in order. Returns a promise only if one of them did. */
  runHook(hook: 'websocketStart' | 'websocketEnd', flow: FlowRecord): Promise<void> | undefined;
  runMessageHook(flow: FlowRecord & AnsweredFlow, message: WebSocketMessage): Promise<void> | undefined;
  happened(flow: FlowRecord, moment: WebSocketMoment): void;
  /** What the waits of this flow's WebSocket ask. */
  webSocketWaiter(flow: FlowRecord): WebSocketWaiter;
  /** Something of the test's own threw. */
  problem(thrown: unknown): void;
}
