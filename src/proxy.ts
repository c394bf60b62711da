import { writeFile } from 'node:fs/promises';
import type { Answer } from './answers.js';
import { Clients } from './clients/clients.js';
import { usualRoots } from './clients/roots.js';
import type { Way } from './clients/way.js';
import { Engine } from './engine.js';
import type { FlowMoment } from './exchange/services.js';
import { formatAuthority } from './flow/authority.js';
import type { FlowList } from './flow/flow-list.js';
import { compileFlowMatch, type FlowMatch, type StreamMatch } from './flow/match.js';
import type { TcpFlow, TcpFlowMatch } from './flow/tcp-types.js';
import type { AnsweredFlow, FailedFlow, HttpFlow, WebSocketFlow } from './flow/types.js';
import { toHar } from './har/har.js';
import type { Har } from './har/types.js';
import type { Hooks } from './hooks.js';
import { addressFor } from './options/mode.js';
import { changeOptions, resolveOptions } from './options/resolve.js';
import type { ProxyOptions } from './options/types.js';
import type { StreamRuleSides } from './stream/rules.js';
import { loadCa } from './tls/ca.js';
import { type FlowSearch, searchOf } from './waits/seen.js';
import type { EndedWait, Wait } from './waits/waits.js';

const BRAND = Symbol.for('sluice.proxy');

/** Takes a rule, hook or mapping out again; `using` does it at the end of the block. */
export type Disposer = Disposable & { dispose(): void };

/** What a runner adds to a proxy. */
export interface ProxyContext {
  /** What relative URL globs are resolved against. */
  baseURL?: string;
  /** How long waits wait that have no `timeout` of their own, in milliseconds. Default 30 000. */
  waitTimeout?: number;
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
  const engine = new Engine(resolved, ca, context);
  await engine.open();
  return new RecordingProxy(engine, context);
}

/**
 * A proxy that records every exchange that goes through it. It is a valid value of Playwright's `proxy` option.
 */
export class RecordingProxy implements AsyncDisposable {
  readonly [BRAND] = true;
  /** The recorded flows, in order of request start. */
  readonly flows: FlowList<HttpFlow>;
  /** The recorded connections that `tcpHosts` names, in order of their start. */
  readonly tcpFlows: FlowList<TcpFlow>;
  readonly #engine: Engine;
  readonly #context: ProxyContext;
  readonly #clients: Clients;
  #closing: Promise<void> | undefined;

  /** Use {@link startProxy}. @internal */
  constructor(engine: Engine, context: ProxyContext) {
    this.#engine = engine;
    this.#context = context;
    this.flows = engine.flows;
    this.tcpFlows = engine.tcp.flows;
    this.#clients = new Clients(
      () => this.way,
      context.baseURL,
      (url) => errorOf(this.flows, url),
    );
  }

  /**
   * The proxy's address, as clients take it: `http://127.0.0.1:41234`; in mode `socks5` `socks5://127.0.0.1:41234`. In
   * mode `reverse:URL` it is where requests go in the place of URL.
   */
  get server(): string {
    const scheme = this.#engine.options.mode === 'socks5' ? 'socks5' : 'http';
    return `${scheme}://${formatAuthority({ host: this.#engine.options.host, port: this.port })}`;
  }

  /** The port it listens on. */
  get port(): number {
    return this.#engine.port;
  }

  /** The CA that signs the certificates shown to clients: PEM, and what Chromium's SPKI list takes. */
  get ca(): { cert: string; spki: string } {
    const { cert, spki } = this.#engine.authority;
    return { cert, spki };
  }

  /**
   * Node's `fetch`, through this proxy and trusting its CA. Relative URLs are resolved against the runner's `baseURL`. Of a
   * request that failed, the error's message says why.
   * @throws SluiceError PROXY_CLOSED, or BAD_OPTION in other modes than `regular`: a rejection, as of any `fetch`
   */
  get fetch(): typeof globalThis.fetch {
    return this.#clients.fetch;
  }

  /**
   * Environment variables for child processes, so that they use this proxy and trust its CA: `http_proxy` and its kin,
   * `NO_PROXY=''`, `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE`, `CURL_CA_BUNDLE` ... The files named are removed when the
   * proxy is closed.
   * @throws SluiceError CA_FILE if the certificate can't be written, PROXY_CLOSED, or BAD_OPTION in other modes than
   * `regular`
   * @example
   * spawn('curl', ['https://api.test/'], { env: { ...process.env, ...proxy.env } });
   */
  get env(): Record<string, string> {
    return this.#clients.env;
  }

  /** What leads this process's requests here. @throws SluiceError BAD_OPTION in other modes than `regular` @internal */
  get way(): Way {
    const { options } = this.#engine;
    // What is left alone shows certificates of its own.
    const others = options.ignoreHosts.length > 0 ? usualRoots() : [];
    return { server: addressFor(options, this.server), trusted: [this.ca.cert, ...others] };
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
    const { streamRules, waits } = this.#engine;
    const context = { baseURL: this.#context.baseURL, waitTimeout: waits.defaultTimeout };
    return disposer(streamRules.add(match, rule, context));
  }

  /**
   * Answers what matches in the origin's place, CORS preflights for it included. Of several rules the newest answers.
   *
   * @throws SluiceError BAD_MATCH or BAD_RESPONSE
   * @example
   * proxy.respond({ method: 'POST', path: '/api/orders' }, { status: 201, json: { id: 7 } });
   */
  respond(match: FlowMatch, answer: Answer, options: { times?: number } = {}): Disposer {
    return disposer(this.#engine.answers.add(match, answer, options.times, this.#context.baseURL));
  }

  /**
   * Makes the test fail, listing them, if such flows are seen.
   * @throws SluiceError BAD_MATCH
   * @example
   * proxy.forbid({ host: '*.analytics.test' });
   */
  forbid(match: FlowMatch): Disposer {
    return disposer(this.#engine.verdict.forbid(compileFlowMatch(match, this.#context)));
  }

  /**
   * Sends a name's traffic elsewhere, as the `hosts` option does. The most specific mapping counts, of equal ones the newest.
   * @param name `name`, `*.name`, `name:port` or `*`
   * @param target `host`, `host:port`, or with `http://` or `https://` what is spoken there, whatever the client speaks
   * @throws SluiceError BAD_OPTION
   * @example
   * proxy.mapHost('app.test', 'http://127.0.0.1:3000');
   */
  mapHost(name: string, target: string): Disposer {
    return disposer(this.#engine.origins.hosts.add(name, target));
  }

  /**
   * Adds a handler of one hook. Handlers run in order of registration and are waited for.
   * @throws SluiceError BAD_OPTION
   * @example
   * proxy.on('requestHeaders', (flow) => flow.request.headers.set('X-Test', '1'));
   */
  on<H extends keyof Hooks>(hook: H, handler: Hooks[H]): Disposer {
    return disposer(this.#engine.hooks.add(hook, handler));
  }

  /**
   * Adds an addon: an object, or a module, of hooks.
   * @throws SluiceError BAD_OPTION if it has none
   * @example
   * proxy.use(await import('./addons/login.js'));
   */
  use(addon: Partial<Hooks>): Disposer {
    return disposer(this.#engine.hooks.addAll(addon));
  }

  /**
   * Runs `action` and gives the flows that began while it ran, once they are over. A WebSocket counts to its handshake.
   * @throws what `action` throws; SluiceError WAIT_TIMEOUT if a flow is still going on after the waits' default time
   */
  during<T>(action: () => T | Promise<T>): Promise<FlowList<HttpFlow>> {
    return this.#engine.flowWaits.during(action);
  }

  /** Waits for a request head. @throws SluiceError WAIT_TIMEOUT, or WAIT_ENDED, with what was seen instead */
  waitForRequest(match: FlowMatch, options?: Wait): Promise<HttpFlow> {
    return this.#engine.flowWaits.request(match, options);
  }

  /** Waits for a response head. @throws SluiceError as {@link waitForFlow} does */
  waitForResponse(match: FlowMatch, options?: Wait): Promise<AnsweredFlow> {
    return this.#engine.flowWaits.response(match, options) as Promise<AnsweredFlow>;
  }

  /**
   * Waits for a complete flow; a WebSocket's is with its handshake.
   * @throws SluiceError WAIT_TIMEOUT, WAIT_ENDED, or FLOW_FAILED, carrying the `flow`, if it ended in an error
   */
  waitForFlow(match: FlowMatch, options?: Wait): Promise<AnsweredFlow> {
    return this.#engine.flowWaits.complete(match, options) as Promise<AnsweredFlow>;
  }

  /** Waits for a flow that ended in an error. @throws SluiceError WAIT_TIMEOUT or WAIT_ENDED */
  waitForError(match: FlowMatch, options?: Wait): Promise<FailedFlow> {
    return this.#engine.flowWaits.error(match, options) as Promise<FailedFlow>;
  }

  /**
   * Waits for a WebSocket whose handshake is done.
   * @throws SluiceError as {@link waitForFlow} does, FLOW_FAILED also if the handshake was refused
   * @example
   * const { websocket } = await proxy.waitForWebSocket('**' + '/live');
   * await websocket.waitForMessage({ type: 'subscribed' }, { from: 'server' });
   */
  waitForWebSocket(match: FlowMatch, options?: Wait): Promise<WebSocketFlow> {
    return this.#engine.flowWaits.webSocket(match, options) as Promise<WebSocketFlow>;
  }

  /**
   * Waits for a TCP flow that is connected to its origin: a connection is one once an end has spoken. A function is asked
   * again as the flow goes on.
   * @throws SluiceError as {@link waitForFlow} does, FLOW_FAILED only if the origin could not be reached
   * @example
   * const flow = await proxy.waitForTcpFlow('db.test:5432');
   * await proxy.waitForTcpFlow((flow) => flow.received.server > 0, { timeout: 5000 });
   */
  waitForTcpFlow(match: TcpFlowMatch, options?: Wait): Promise<TcpFlow> {
    return this.#engine.tcp.waits.connected(match, options);
  }

  /**
   * Waits until nothing has been in flight for a while. Open WebSockets are not in flight.
   * @param options `quiet`: for how long, in milliseconds (default 100); `timeout` (default that of the waits, 30 000)
   * @throws SluiceError WAIT_TIMEOUT, listing what is still in flight, or what began meanwhile
   */
  idle({ quiet = 100, timeout }: { quiet?: number; timeout?: number } = {}): Promise<void> {
    return this.#engine.flowWaits.idle(quiet, timeout);
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
    await this.#engine.verdict.verify(this.flows);
  }

  /**
   * Rejects every pending wait with `why` and what was seen instead. The fixtures call it at a test's end.
   * @returns what the waits were rejected with
   */
  endWaits(why: string): EndedWait[] {
    return [...this.#engine.waits.end(why), ...this.#engine.tcp.waits.end(why)];
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
    changeOptions(this.#engine.options, options);
    for (const [name, target] of Object.entries(options.hosts ?? {})) this.mapHost(name, target);
  }

  /** Calls back for everything that goes on in flows. @internal */
  watch(listener: (flow: HttpFlow, moment: FlowMoment) => void): Disposer {
    return disposer(this.#engine.waits.listen(listener));
  }

  /** Takes no further connections; those that are open go on until {@link close}. @internal */
  stopListening(): void {
    this.#engine.stop();
  }

  /** Cuts every connection and stops listening. Flows in flight end with PROXY_CLOSED. Calling it twice is harmless. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#clients.abandon();
    await this.#engine.close();
    await this.#clients.close();
  }
}

/** Whether `value` is a recording proxy, from whichever copy of the package. */
export function isRecordingProxy(value: unknown): value is RecordingProxy {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Why the newest request for that URL failed. */
function errorOf(flows: FlowList<HttpFlow>, url: string): string | undefined {
  const [{ error } = {}] = flows.filter(({ request }) => request.url === url).slice(-1);
  return error && `${error.code}: ${error.message}`;
}

function disposer(dispose: () => void): Disposer {
  return { dispose, [Symbol.dispose]: dispose };
}
