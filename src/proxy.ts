import { writeFile } from 'node:fs/promises';
import { type Answer, AnswerRules } from './answers.js';
import type { FlowError } from './errors.js';
import type { ExchangeServices, FlowMoment } from './exchange/services.js';
import { formatAuthority } from './flow/authority.js';
import { FlowRecord } from './flow/flow.js';
import { FlowList } from './flow/flow-list.js';
import { Headers } from './flow/headers.js';
import { compileFlowMatch, type FlowMatch, type StreamMatch } from './flow/match.js';
import { RequestRecord } from './flow/message.js';
import type { AnsweredFlow, ClientInfo, FailedFlow, HttpFlow, WebSocketFlow } from './flow/types.js';
import { FlowWaits } from './flow-waits.js';
import { toHar } from './har/har.js';
import type { Har } from './har/types.js';
import { type Hooks, HookTable } from './hooks.js';
import { Listener } from './listen/listener.js';
import type { ListenServices, RefusedHead } from './listen/services.js';
import { parseAuthority } from './listen/target.js';
import { changeOptions, type ProxyOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { Origins } from './origin/origins.js';
import { type FlowSearch, searchOf } from './seen.js';
import { type StreamRuleSides, StreamRules } from './stream/rules.js';
import { IdleWatch } from './tcp/idle-watch.js';
import { type CertificateAuthority, loadCa, processCa } from './tls/ca.js';
import { Verdict } from './verdict.js';
import { type EndedWait, type Wait, Waits } from './waits.js';
import type { WebSocketSession } from './websocket/session.js';

const BRAND = Symbol.for('sluice.proxy');

/** Takes a rule, hook or mapping out again; `using` does it at the end of the block. */
export type Disposer = Disposable & { dispose(): void };

/** What a runner adds to a proxy. */
export interface ProxyContext {
  /** What relative URL globs are resolved against. */
  baseURL?: string;
}

/**
 * Starts a recording proxy.
 *
 * @throws SluiceError UNKNOWN_OPTION, BAD_OPTION, BAD_CA or PORT_IN_USE, before anything listens
 * @example
 * const proxy = await startProxy({ streamLargeBodies: '3m' });
 * // ... set proxy.server as a client's HTTP proxy ...
 * await proxy.close();
 */
export async function startProxy(
  options: ProxyOptions = {},
  context: ProxyContext = {},
): Promise<RecordingProxy> {
  const resolved = resolveOptions(options);
  const ca = resolved.ca === undefined ? undefined : loadCa(resolved.ca);
  const proxy = new RecordingProxy(resolved, ca, context);
  await proxy[OPEN]();
  return proxy;
}

const OPEN = Symbol('open');

/**
 * A proxy that records every exchange that goes through it. It is a valid value of Playwright's `proxy` option.
 */
export class RecordingProxy implements AsyncDisposable {
  readonly [BRAND] = true;
  /** The recorded flows, in order of request start. */
  readonly flows = new FlowList<HttpFlow>();
  readonly #options: ResolvedOptions;
  readonly #context: ProxyContext;
  readonly #hooks = new HookTable();
  readonly #streamRules = new StreamRules();
  readonly #answers = new AnswerRules();
  readonly #idleWatch = new IdleWatch();
  readonly #origins: Origins;
  readonly #listener: Listener;
  readonly #waits: Waits;
  readonly #flowWaits: FlowWaits;
  readonly #verdict = new Verdict();
  readonly #inFlight = new Set<FlowRecord>();
  readonly #sessions = new Set<WebSocketSession>();
  #ca: CertificateAuthority | undefined;
  #port = 0;
  #lastId = 0;
  #closing: Promise<void> | undefined;

  /** Use {@link startProxy}. @internal */
  constructor(options: ResolvedOptions, ca: CertificateAuthority | undefined, context: ProxyContext) {
    this.#options = options;
    this.#ca = ca;
    this.#context = context;
    this.#origins = new Origins(options, (host, port) => this.#isSelf(host, port), this.#idleWatch);
    this.#listener = new Listener(this.#services());
    this.#waits = new Waits(() => this.flows as Iterable<FlowRecord>);
    this.#flowWaits = new FlowWaits(this.#waits, {
      flows: this.flows,
      inFlight: this.#inFlight,
      lastId: () => this.#lastId,
      baseURL: context.baseURL,
    });
  }

  /** The proxy's address, as clients take it: `http://127.0.0.1:41234`. */
  get server(): string {
    return `http://${formatAuthority({ host: this.#options.host, port: this.#port })}`;
  }

  /** The port it listens on. */
  get port(): number {
    return this.#port;
  }

  /** The CA that signs the certificates shown to clients: PEM, and what Chromium's SPKI list takes. */
  get ca(): { cert: string; spki: string } {
    const { cert, spki } = this.#authority;
    return { cert, spki };
  }

  /**
   * Streams what matches, from now on; of several rules the last one that matches decides, and hooks can overrule it.
   *
   * @param rule `true` (default) or `false` for both sides, or a side each, with a transform where wanted
   * @throws SluiceError BAD_MATCH
   * @example
   * proxy.stream('**' + '/upload', { request: true });
   */
  stream(match: StreamMatch, rule: boolean | StreamRuleSides = true): Disposer {
    return disposer(this.#streamRules.add(match, rule, this.#context.baseURL));
  }

  /**
   * Answers what matches in the origin's place, CORS preflights for it included. Of several rules the newest answers.
   *
   * @throws SluiceError BAD_MATCH or BAD_RESPONSE
   * @example
   * proxy.respond({ method: 'POST', path: '/api/orders' }, { status: 201, json: { id: 7 } });
   */
  respond(match: FlowMatch, answer: Answer, options: { times?: number } = {}): Disposer {
    return disposer(this.#answers.add(match, answer, options.times, this.#context.baseURL));
  }

  /** Makes the test fail, listing them, if such flows are seen. @throws SluiceError BAD_MATCH */
  forbid(match: FlowMatch): Disposer {
    return disposer(this.#verdict.forbid(compileFlowMatch(match, this.#context)));
  }

  /** Sends a name's traffic elsewhere, as the `hosts` option does. @throws SluiceError BAD_OPTION */
  mapHost(name: string, target: string): Disposer {
    return disposer(this.#origins.hosts.add(name, target));
  }

  /** Adds a handler of one hook. Handlers run in order of registration and are waited for. @throws SluiceError BAD_OPTION */
  on<H extends keyof Hooks>(hook: H, handler: Hooks[H]): Disposer {
    return disposer(this.#hooks.add(hook, handler));
  }

  /** Adds an addon: an object, or a module, of hooks. @throws SluiceError BAD_OPTION if it has none */
  use(addon: Partial<Hooks>): Disposer {
    return disposer(this.#hooks.addAll(addon));
  }

  /**
   * Runs `action` and gives the flows that began while it ran, once they are over. A WebSocket counts to its handshake.
   * @throws what `action` throws; SluiceError WAIT_TIMEOUT if a flow is still going on after 30 s
   */
  during<T>(action: () => T | Promise<T>): Promise<FlowList<HttpFlow>> {
    return this.#flowWaits.during(action);
  }

  /** Waits for a request head. @throws SluiceError WAIT_TIMEOUT, or WAIT_ENDED, with what was seen instead */
  waitForRequest(match: FlowMatch, options?: Wait): Promise<HttpFlow> {
    return this.#flowWaits.request(match, options);
  }

  /** Waits for a response head. @throws SluiceError as {@link waitForFlow} does */
  waitForResponse(match: FlowMatch, options?: Wait): Promise<AnsweredFlow> {
    return this.#flowWaits.response(match, options) as Promise<AnsweredFlow>;
  }

  /**
   * Waits for a complete flow; a WebSocket's is with its handshake.
   * @throws SluiceError WAIT_TIMEOUT, WAIT_ENDED, or FLOW_FAILED, carrying the `flow`, if it ended in an error
   */
  waitForFlow(match: FlowMatch, options?: Wait): Promise<AnsweredFlow> {
    return this.#flowWaits.complete(match, options) as Promise<AnsweredFlow>;
  }

  /** Waits for a flow that ended in an error. @throws SluiceError WAIT_TIMEOUT or WAIT_ENDED */
  waitForError(match: FlowMatch, options?: Wait): Promise<FailedFlow> {
    return this.#flowWaits.error(match, options) as Promise<FailedFlow>;
  }

  /**
   * Waits for a WebSocket whose handshake is done.
   * @throws SluiceError as {@link waitForFlow} does, FLOW_FAILED also if the handshake was refused
   * @example
   * const { websocket } = await proxy.waitForWebSocket('**' + '/live');
   * await websocket.waitForMessage({ type: 'subscribed' }, { from: 'server' });
   */
  waitForWebSocket(match: FlowMatch, options?: Wait): Promise<WebSocketFlow> {
    return this.#flowWaits.webSocket(match, options) as Promise<WebSocketFlow>;
  }

  /**
   * Waits until nothing has been in flight for a while. Open WebSockets are not in flight.
   * @param options `quiet`: for how long, in milliseconds (default 100); `timeout` (default 30 000)
   * @throws SluiceError WAIT_TIMEOUT, listing what is still in flight, or what began meanwhile
   */
  idle({ quiet = 100, timeout = 30_000 }: { quiet?: number; timeout?: number } = {}): Promise<void> {
    return this.#flowWaits.idle(quiet, timeout);
  }

  /** The recorded flows as HTTP Archive 1.2, credentials redacted; {@link toHar} has a choice of what is. */
  har(): Har {
    return toHar(this.flows);
  }

  /** Writes {@link har} to a file. */
  async saveHar(path: string): Promise<void> {
    await writeFile(path, JSON.stringify(this.har(), null, 2));
  }

  /**
   * Throws if something went wrong that a test should not miss: a flow that `forbid()` rules out, or a hook, predicate
   * or transform that threw. The fixtures call it at a test's end.
   * @throws SluiceError FORBIDDEN_FLOW, or what was thrown
   */
  async verify(): Promise<void> {
    await this.#verdict.verify(this.flows);
  }

  /**
   * Rejects every pending wait with `why` and what was seen instead. The fixtures call it at a test's end.
   * @returns what the waits were rejected with
   */
  endWaits(why: string): EndedWait[] {
    return this.#waits.end(why);
  }

  /** A match as this proxy reads it, for matchers. @throws SluiceError BAD_MATCH @internal */
  search(match: FlowMatch): FlowSearch {
    return searchOf(compileFlowMatch(match, this.#context), this.flows);
  }

  /**
   * Changes options of a proxy that runs already, for what begins from now on.
   * @throws SluiceError UNKNOWN_OPTION, or BAD_OPTION, also for one that only holds from the start
   * @internal
   */
  configure(options: ProxyOptions): void {
    changeOptions(this.#options, options);
    for (const [name, target] of Object.entries(options.hosts ?? {})) this.mapHost(name, target);
  }

  /** Calls back for everything that goes on in flows. @internal */
  watch(listener: (flow: HttpFlow, moment: FlowMoment) => void): Disposer {
    return disposer(this.#waits.listen(listener));
  }

  /** Cuts every connection and stops listening. Flows in flight end with PROXY_CLOSED. Calling it twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async [OPEN](): Promise<void> {
    this.#port = await this.#listener.open();
  }

  async #close(): Promise<void> {
    for (const session of [...this.#sessions]) session.fail('PROXY_CLOSED', 'the proxy was closed');
    const closed = this.#listener.close();
    this.#origins.close();
    this.#idleWatch.close();
    this.#waits.close('the proxy is closed');
    await closed;
  }

  get #authority(): CertificateAuthority {
    this.#ca ??= processCa();
    return this.#ca;
  }

  #isSelf(host: string, port: number): boolean {
    if (port !== this.#port) return false;
    const name = host.toLowerCase();
    const loopback =
      name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\./.test(name);
    return name === this.#options.host || loopback;
  }

  #services(): ListenServices {
    const proxy = this;
    const flowServices: ExchangeServices = {
      options: this.#options,
      streamRules: this.#streamRules,
      sessions: this.#sessions,
      runHook: (hook, flow) => this.#hooks.run(hook, flow as FlowRecord & WebSocketFlow),
      runMessageHook: (flow, message) =>
        this.#hooks.run('websocketMessage', flow as FlowRecord & WebSocketFlow, message),
      webSocketWaiter: (flow) => ({
        message: (goal, options) => this.#flowWaits.message(flow, goal, options),
        close: (options) => this.#flowWaits.close(flow, options),
      }),
      waitForEvent: (flow, search, options) => this.#flowWaits.event(flow, search, options),
      answerFor: (flow) => this.#answers.find(flow),
      acquire: (route, fresh, pin) => this.#origins.acquire(route, fresh, pin),
      started: (flow) => {
        this.flows.add(flow);
        this.#inFlight.add(flow);
      },
      happened: (flow, moment) => {
        if (moment === 'complete' || moment === 'error') this.#inFlight.delete(flow);
        this.#verdict.happened(flow);
        this.#waits.happened(flow, moment);
        flow.progressed();
      },
      problem: (thrown) => this.#verdict.problem(thrown),
    };
    return {
      ...flowServices,
      get ca() {
        return proxy.#authority;
      },
      idleWatch: this.#idleWatch,
      nextId: () => String(++this.#lastId),
      isSelf: (host) => {
        const authority = parseAuthority(host, 80);
        return this.#isSelf(authority.host, authority.port);
      },
      isOwnConnection: (port) => this.#origins.isOwnPort(port),
      spokenBy: (route) => this.#origins.spokenBy(route),
      dial: (route) => this.#origins.dial(route),
      refused: (client, error, head) => this.#refused(client, error, head),
      clientConnected: (client) => this.#tell('clientConnect', client),
      clientDisconnected: (client) => this.#tell('clientDisconnect', client),
      clientError: (client, error) => this.#tell('clientError', client, error),
    };
  }

  /** Runs a hook that no message waits for. What it throws fails the test, nothing else. */
  async #tell<H extends 'clientConnect' | 'clientDisconnect' | 'clientError' | 'error'>(
    hook: H,
    ...args: Parameters<Hooks[H]>
  ): Promise<void> {
    try {
      await this.#hooks.run(hook, ...args);
    } catch (thrown) {
      this.#verdict.problem(thrown);
    }
  }

  /** Records a request that never became an exchange. */
  #refused(client: ClientInfo, error: FlowError, head: RefusedHead): void {
    const flow = new FlowRecord(String(++this.#lastId), client, undefined);
    flow.request = new RequestRecord(flow, {
      method: head.method,
      url: head.target,
      version: head.version ?? '1.1',
      headers: new Headers(),
    });
    flow.error = error;
    flow.settle();
    this.flows.add(flow);
    this.#tell('error', flow).then(() => {
      this.#verdict.happened(flow);
      this.#waits.happened(flow, 'error');
    });
  }
}

/** Whether `value` is a recording proxy, from whichever copy of the package. */
export function isRecordingProxy(value: unknown): value is RecordingProxy {
  return typeof value === 'object' && value !== null && BRAND in value;
}

function disposer(dispose: () => void): Disposer {
  return { dispose, [Symbol.dispose]: dispose };
}
