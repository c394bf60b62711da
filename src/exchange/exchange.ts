import { type FlowErrorCode, messageOf } from '../errors.js';
import type { EventSearch } from '../flow/events.js';
import { type FlowControl, FlowRecord } from '../flow/flow.js';
import { RequestRecord } from '../flow/message.js';
import type { EventWait, ServerSentEvent } from '../flow/payload-types.js';
import type { RespondInit } from '../flow/types.js';
import type { RequestHead } from '../http1/head.js';
import type { Route } from '../origin/origins.js';
import type { ConnectionPin, OriginStream } from '../origin/stream.js';
import type { BodySource } from '../stream/body.js';
import type { WebSocketSession } from '../websocket/session.js';
import { checkRespondInit } from './answer.js';
import type { ClientStream } from './client-stream.js';
import { failureResponse } from './failure.js';
import { RequestLeg } from './request-leg.js';
import { ResponseLeg } from './response-leg.js';
import type { ExchangeServices, FlowHook } from './services.js';

/** Problems that are the test's own: they fail it, besides ending the flow. */
const OWN_PROBLEMS: ReadonlySet<FlowErrorCode> = new Set([
  'HOOK_FAILED',
  'RULE_FAILED',
  'TRANSFORM_FAILED',
  'LENGTH_BROKEN',
  'INTERNAL',
]);

/** Failures after which there is nobody to tell, or who must not be told. */
const CUTS: ReadonlySet<FlowErrorCode> = new Set(['CLIENT_ABORTED', 'KILLED', 'PROXY_CLOSED']);

/** What the client is told of a failure instead of the usual: a status, or nothing. */
type ClientTold = number | 'cut';

/**
 * One request and its response: owns the flow, runs the hooks, and holds the two legs together. The request leg takes
 * the body from the client to the origin, the response leg back; neither waits for the other unless HTTP says so.
 */
export class Exchange implements FlowControl {
  readonly flow: FlowRecord;
  readonly request: RequestLeg;
  readonly response: ResponseLeg;
  origin: OriginStream | undefined;
  /** What the connections have become: it outlives the exchange. */
  session: WebSocketSession | undefined;
  /** The answer that a hook or rule gives in the origin's place. */
  answer: RespondInit | undefined;
  #over = false;
  /** The client had its response and left, before the exchange was over. */
  #clientLeft = false;
  #responseHookRan = false;

  constructor(
    readonly services: ExchangeServices,
    readonly client: ClientStream,
    readonly head: RequestHead,
    id: string,
    where: { url: string; route: Route },
    pin: ConnectionPin,
  ) {
    this.flow = new FlowRecord(id, client.info, this);
    const { method, version, headers } = head;
    this.flow.request = new RequestRecord(this.flow, { method, url: where.url, version, headers });
    this.request = new RequestLeg(this, { route: where.route, pin });
    this.response = new ResponseLeg(this);
  }

  /** Nothing more happens in this exchange. */
  get over(): boolean {
    return this.#over;
  }

  start(): void {
    this.services.started(this.flow);
    this.guard(() => this.request.begin());
  }

  /** Runs a hook and then `next`. While an asynchronous hook runs, `source` is paused. */
  runHook(hook: Exclude<FlowHook, 'error'>, source: BodySource | undefined, next: () => void): void {
    if (this.#over) return;
    if (hook === 'response') this.#responseHookRan = true;
    this.flow.hook = hook;
    let running: Promise<void> | undefined;
    try {
      running = this.services.runHook(hook, this.flow);
    } catch (error) {
      this.fail('HOOK_FAILED', `the ${hook} hook threw: ${messageOf(error)}`, error);
      return;
    }
    if (running === undefined) {
      this.#hookRan(hook, next);
      return;
    }
    source?.pause();
    running.then(
      () => {
        source?.resume();
        this.#hookRan(hook, next);
      },
      (error: unknown) => this.fail('HOOK_FAILED', `the ${hook} hook threw: ${messageOf(error)}`, error),
    );
  }

  #hookRan(hook: FlowHook, next: () => void): void {
    this.flow.hook = undefined;
    this.services.happened(this.flow, hook);
    if (!this.#over) this.guard(next);
  }

  /** Runs `step`; whatever it throws ends the exchange instead of the process. */
  guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail('INTERNAL', `Sluice failed: ${messageOf(error)}`, error);
    }
  }

  respond(init: RespondInit): void {
    checkRespondInit(init);
    if (this.#over || this.response.headSent) {
      this.flow.warn('respond() was called after the head of the response had been sent and has no effect');
      return;
    }
    this.answer = init;
    // Outside a hook nobody looks at the answer afterwards.
    if (this.flow.hook === undefined) this.request.answerNow();
  }

  kill(): void {
    (this.session ?? this).fail('KILLED', 'flow.kill() was called');
  }

  waitForEvent(search: EventSearch, options: EventWait): Promise<ServerSentEvent> {
    return this.services.waitForEvent(this.flow, search, options);
  }

  /** A leg has come to its end: the exchange is over when both have. */
  legEnded(): void {
    const { request, response } = this.flow;
    if (this.#over || !request.complete || response?.complete !== true) {
      this.flow.progressed();
      return;
    }
    this.#over = true;
    const reusable = this.response.originKeepsAlive && this.request.originKeepsAlive;
    this.#pin();
    this.origin?.release(reusable);
    this.#settle();
    this.services.happened(this.flow, 'complete');
    this.client.done(this.head.keepAlive && this.response.clientKeepsAlive && !this.#clientLeft);
  }

  /** The client has gone. */
  clientGone(why: string, cause?: unknown): void {
    if (this.flow.request.complete && this.response.delivered) this.#clientLeft = true;
    else this.fail('CLIENT_ABORTED', why, cause);
  }

  /** Ends the exchange in an error: the peers are told, the record says why, nothing stays open. */
  fail(code: FlowErrorCode, message: string, cause?: unknown, tell?: ClientTold): void {
    if (this.#over) return;
    this.#over = true;
    const { flow } = this;
    flow.error = cause === undefined ? { code, message } : { code, message, cause };
    flow.hook = undefined;
    this.request.abort(flow.error);
    this.response.abort(flow.error);
    this.origin?.cut(code === 'FAULT_RESET' ? 'reset' : 'now');
    this.#tellClient(code, message, cause, tell);
    if (OWN_PROBLEMS.has(code)) this.services.problem(cause ?? new Error(message));
    this.#settle();
    this.#runErrorHook();
  }

  #tellClient(code: FlowErrorCode, message: string, cause: unknown, tell: ClientTold | undefined): void {
    const { client, response } = this;
    if (tell === 'cut' || CUTS.has(code)) {
      client.cut('now', cause);
    } else if (code === 'FAULT_RESET') {
      client.cut('reset', cause);
    } else if (response.ended) {
      // The client has its response; only its upload could not be passed on.
      client.done(false);
    } else if (response.headSent) {
      client.cut(response.closeDelimited ? 'reset' : 'short', cause);
    } else {
      const answer = failureResponse(code, message, tell, this.services.options.originErrors);
      if (answer === undefined) {
        client.cut('now', cause);
      } else {
        client.respondWhole(answer.head, answer.body, () => undefined);
        client.done(false);
      }
    }
  }

  #runErrorHook(): void {
    const told = () => this.services.happened(this.flow, 'error');
    if (this.#responseHookRan) {
      told();
      return;
    }
    try {
      const running = this.services.runHook('error', this.flow);
      if (running === undefined) told();
      else {
        running.then(told, (error: unknown) => {
          this.services.problem(error);
          told();
        });
      }
    } catch (error) {
      this.services.problem(error);
      told();
    }
  }

  #settle(): void {
    this.flow.request.settle();
    this.flow.response?.settle();
    if (this.session === undefined) this.flow.settle();
  }

  #pin(): void {
    const { request, response } = this.flow;
    const asked = response?.headers.get('www-authenticate');
    const given = request.headers.get('authorization');
    if (asked === undefined && given === undefined) return;
    const schemes = `${given ?? ''},${asked ?? ''}`;
    if (/(?:^|,)\s*(?:ntlm|negotiate)\b/i.test(schemes)) this.request.pinOrigin();
  }
}
