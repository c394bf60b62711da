/**
 * The waits that a proxy offers: for flows, for messages of WebSockets, for server-sent events, for quiet.
 * @module
 */
import { performance, setTimeout } from '../clock.js';
import { SluiceError, withStackOf } from '../errors.js';
import { describeClosing, listMessages } from '../flow/describe-message.js';
import type { EventSearch } from '../flow/events.js';
import type { FlowRecord } from '../flow/flow.js';
import { FlowList } from '../flow/flow-list.js';
import { compileFlowMatch, type FlowMatch } from '../flow/match.js';
import type { EventWait, MessageWait, ServerSentEvent, WebSocketMessage } from '../flow/payload-types.js';
import type { HttpFlow } from '../flow/types.js';
import { isHeld, type MessageGoal } from '../flow/websocket-match.js';
import { failureOf, nearestMisses } from './seen.js';
import type { Wait, WaitGoal, Waits } from './waits.js';

/** What these waits look at. */
export interface Scene {
  readonly flows: Iterable<HttpFlow> & { filter(test: (flow: HttpFlow) => boolean): HttpFlow[] };
  readonly inFlight: ReadonlySet<HttpFlow>;
  /** The number of the newest flow. */
  lastId(): number;
  readonly baseURL: string | undefined;
}

/** The methods of the proxy that wait, on {@link Waits}. */
export class FlowWaits {
  constructor(
    private readonly waits: Waits,
    private readonly scene: Scene,
  ) {}

  request(match: FlowMatch, options?: Wait): Promise<FlowRecord> {
    return this.waits.for(
      this.#goal('waitForRequest', match, 'request', () => true),
      options,
    );
  }

  response(match: FlowMatch, options?: Wait): Promise<FlowRecord> {
    const goal = this.#goal('waitForResponse', match, 'response', (flow) => flow.response !== undefined);
    goal.failed = (flow) => (flow.response === undefined ? failureOf(flow, 'waitForResponse') : undefined);
    return this.waits.for(goal, options);
  }

  complete(match: FlowMatch, options?: Wait): Promise<FlowRecord> {
    const goal = this.#goal('waitForFlow', match, 'response', (flow) => flow.complete);
    goal.failed = (flow) => failureOf(flow, 'waitForFlow');
    return this.waits.for(goal, options);
  }

  error(match: FlowMatch, options?: Wait): Promise<FlowRecord> {
    return this.waits.for(
      this.#goal('waitForError', match, 'response', (flow) => flow.error !== undefined),
      options,
    );
  }

  webSocket(match: FlowMatch, options?: Wait): Promise<FlowRecord> {
    const goal = this.#goal('waitForWebSocket', match, 'response', (flow) => flow.websocket !== undefined);
    // Other requests that match, as a page of the same path, are not what is waited for.
    goal.failed = (flow) =>
      /^wss?:/.test(flow.request.url) ? (failureOf(flow, 'waitForWebSocket') ?? refusalOf(flow)) : undefined;
    return this.waits.for(goal, options);
  }

  /** Waits for a message of one flow's WebSocket. */
  message(flow: FlowRecord, goal: MessageGoal, options: MessageWait): Promise<WebSocketMessage> {
    const { after } = options;
    const what = `waitForMessage(${goal.describe})`;
    const messages = flow.websocket?.messages ?? [];
    // Each is judged once, when no hook may change it any more.
    let next = after === undefined ? 0 : (messages as WebSocketMessage[]).indexOf(after) + 1;
    if (after !== undefined && next === 0) {
      const given = 'after is no message of this connection; give one of flow.websocket.messages';
      throw new SluiceError('BAD_MATCH', `waitForMessage: ${given}`);
    }
    let open: WebSocketMessage[] = [];
    let hit: WebSocketMessage | undefined;
    const seen = () => listMessages(messages) || 'No messages were recorded.';
    const look = (): boolean => {
      if (hit !== undefined) return true;
      const candidates = [...open, ...messages.slice(next)];
      next = messages.length;
      open = candidates.filter(isHeld);
      hit = candidates.find((message) => !isHeld(message) && goal.test(message));
      return hit !== undefined;
    };
    const wait: WaitGoal<WebSocketMessage | undefined> = {
      what,
      late: 'no such message',
      // This method, the closure that the record has of it, and the record's method.
      frames: 3,
      reached: (other) => other === flow && look(),
      failed: (other) => {
        if (other !== flow || flow.websocket?.closed !== true) return undefined;
        const how = `the connection was ${describeClosing(flow.websocket)}`;
        return new SluiceError('WAIT_ENDED', `${what}: ${how}\n\n${seen()}`);
      },
      result: () => hit,
      seen,
    };
    return this.waits.for(wait, limitsOf(options)) as Promise<WebSocketMessage>;
  }

  /** Waits for an event of one flow's response. */
  event(flow: FlowRecord, search: EventSearch, options: EventWait): Promise<ServerSentEvent> {
    const wait: WaitGoal<ServerSentEvent | undefined> = {
      what: search.what,
      late: 'no such event',
      // This method, the closure that the exchange has of it, and the methods of exchange, flow and response.
      frames: 5,
      reached: (other) => other === flow && search.look(),
      failed: (other) => (other === flow ? search.vain() : undefined),
      result: () => search.hit,
      seen: () => search.seen(),
    };
    return this.waits.for(wait, limitsOf(options)) as Promise<ServerSentEvent>;
  }

  /** Waits for the end of one flow's WebSocket. */
  close(flow: FlowRecord, options: { timeout?: number; signal?: AbortSignal }): Promise<void> {
    const seen = () => listMessages(flow.websocket?.messages ?? []) || 'No messages were recorded.';
    const wait: WaitGoal<void> = {
      what: 'waitForClose()',
      late: 'the connection did not close',
      frames: 3,
      reached: (other) => other === flow && flow.websocket?.closed === true,
      result: () => undefined,
      seen,
    };
    return this.waits.for(wait, options);
  }

  async during<T>(action: () => T | Promise<T>): Promise<FlowList<HttpFlow>> {
    const { flows, inFlight } = this.scene;
    const asked = new Error();
    const before = this.scene.lastId();
    await action();
    const after = this.scene.lastId();
    const began = (flow: HttpFlow) => Number(flow.id) > before && Number(flow.id) <= after;
    await this.#until(() => ![...inFlight].some(began), this.waits.defaultTimeout, 'during()', asked);
    return new FlowList(flows.filter(began));
  }

  async idle(quiet: number, timeout: number = this.waits.defaultTimeout): Promise<void> {
    const { flows, inFlight } = this.scene;
    const asked = new Error();
    const deadline = performance.now() + timeout;
    for (;;) {
      await this.#until(() => inFlight.size === 0, deadline - performance.now(), 'idle()', asked);
      const began = this.scene.lastId();
      const left = deadline - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.min(quiet, left)));
      if (quiet <= left && this.scene.lastId() === began && inFlight.size === 0) return;
      if (performance.now() < deadline) continue;
      const why = `idle(): not quiet for ${quiet} ms within ${timeout} ms`;
      throw late(`${why}\n\n${nearestMisses(undefined, flows)}`, asked);
    }
  }

  #goal(
    what: string,
    match: FlowMatch,
    side: 'request' | 'response',
    reached: (flow: FlowRecord) => boolean,
  ): WaitGoal<FlowRecord> {
    const { baseURL, flows } = this.scene;
    const compiled = compileFlowMatch(match, { ...(baseURL === undefined ? {} : { baseURL }), side });
    return {
      what: `${what}(${compiled.describe})`,
      late: 'no such flow',
      // A method here, and the proxy's of the same purpose.
      frames: 2,
      match: compiled,
      reached,
      result: (flow) => flow,
      seen: () => nearestMisses(compiled, flows),
    };
  }

  #until(holds: () => boolean, timeout: number, what: string, asked: Error): Promise<void> {
    return this.waits.until(holds, timeout, () => {
      const going = nearestMisses(undefined, this.scene.inFlight);
      return late(`${what}: still in flight:\n\n${going}`, asked);
    });
  }
}

/** What of a wait's options bounds it. */
function limitsOf({ timeout, signal }: Omit<Wait, 'after'>): Wait {
  return { ...(timeout === undefined ? {} : { timeout }), ...(signal === undefined ? {} : { signal }) };
}

/** The error of a wait whose time is over. @param asked made in the method that the proxy's own called */
function late(message: string, asked: Error): Error {
  return withStackOf(new SluiceError('WAIT_TIMEOUT', message), asked, 1);
}

/** The error of a wait whose handshake was refused. It carries the flow. */
function refusalOf(flow: FlowRecord): SluiceError | undefined {
  const { response } = flow;
  if (response?.complete !== true || flow.websocket !== undefined) return undefined;
  const error = new SluiceError(
    'FLOW_FAILED',
    `waitForWebSocket: the handshake was answered with ${response.status} ${response.statusText}`.trimEnd(),
  );
  return Object.assign(error, { flow });
}
