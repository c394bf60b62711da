import { AnswerRules } from './answers.js';
import type { FlowError } from './errors.js';
import type { ExchangeServices } from './exchange/services.js';
import { FlowRecord } from './flow/flow.js';
import { FlowList } from './flow/flow-list.js';
import { Headers } from './flow/headers.js';
import { RequestRecord } from './flow/message.js';
import type { ClientInfo, HttpFlow, WebSocketFlow } from './flow/types.js';
import { type Hooks, HookTable } from './hooks.js';
import { Gate } from './listen/auth.js';
import { Listener } from './listen/listener.js';
import type { ListenServices, RefusedHead } from './listen/services.js';
import { parseAuthority } from './listen/target.js';
import type { ResolvedOptions } from './options/types.js';
import { Origins } from './origin/origins.js';
import { stickyAddons } from './sticky/sticky.js';
import { StreamRules } from './stream/rules.js';
import { IdleWatch } from './tcp/idle-watch.js';
import { TcpFlows } from './tcp-flows.js';
import { type CertificateAuthority, processCa } from './tls/ca.js';
import { Verdict } from './verdict.js';
import { FlowWaits } from './waits/flow-waits.js';
import { Waits } from './waits/waits.js';
import type { WebSocketSession } from './websocket/session.js';

/** A proxy's parts, put together: what the rooms ask of each other goes through here. */
export class Engine {
  readonly flows = new FlowList<HttpFlow>();
  readonly hooks = new HookTable();
  readonly streamRules = new StreamRules();
  readonly answers = new AnswerRules();
  readonly verdict = new Verdict();
  readonly waits: Waits;
  readonly flowWaits: FlowWaits;
  readonly origins: Origins;
  readonly tcp: TcpFlows;
  readonly #idleWatch = new IdleWatch();
  readonly #listener: Listener;
  readonly #inFlight = new Set<FlowRecord>();
  readonly #sessions = new Set<WebSocketSession>();
  #ca: CertificateAuthority | undefined;
  #port = 0;
  #lastId = 0;

  /**
   * @param ca default: that of the process, made when it is first asked for
   * @param context what relative URL globs are resolved against, and how long waits wait by themselves
   */
  constructor(
    readonly options: ResolvedOptions,
    ca: CertificateAuthority | undefined,
    { baseURL, waitTimeout }: { baseURL?: string; waitTimeout?: number },
  ) {
    this.#ca = ca;
    this.tcp = new TcpFlows(options, this.hooks, this.verdict, () => this.#nextId(), waitTimeout);
    for (const addon of stickyAddons(options, baseURL)) this.hooks.addAll(addon);
    this.origins = new Origins(options, (host, port) => this.#isSelf(host, port), this.#idleWatch);
    this.#listener = new Listener(this.#services());
    this.waits = new Waits(() => this.flows as Iterable<FlowRecord>, waitTimeout);
    this.flowWaits = new FlowWaits(this.waits, {
      flows: this.flows,
      inFlight: this.#inFlight,
      lastId: () => this.#lastId,
      baseURL,
    });
  }

  /** The port it listens on. */
  get port(): number {
    return this.#port;
  }

  /** Starts to listen. @throws SluiceError PORT_IN_USE or BAD_OPTION */
  async open(): Promise<void> {
    this.#port = await this.#listener.open();
  }

  /** Stops listening; connections that are open go on. */
  stop(): void {
    this.#listener.stop();
  }

  /** Cuts every connection and stops listening. */
  async close(): Promise<void> {
    for (const session of [...this.#sessions]) session.fail('PROXY_CLOSED', 'the proxy was closed');
    this.tcp.close();
    const closed = this.#listener.close();
    this.origins.close();
    this.#idleWatch.close();
    this.waits.close('the proxy is closed');
    this.streamRules.close('the proxy was closed');
    await closed;
  }

  get authority(): CertificateAuthority {
    this.#ca ??= processCa();
    return this.#ca;
  }

  #isSelf(host: string, port: number): boolean {
    if (port !== this.#port) return false;
    const name = host.toLowerCase();
    const loopback =
      name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\./.test(name);
    return name === this.options.host || loopback;
  }

  #services(): ListenServices {
    const engine = this;
    const flowServices: ExchangeServices = {
      options: this.options,
      streamRules: this.streamRules,
      sessions: this.#sessions,
      runHook: (hook, flow) => this.hooks.run(hook, flow as FlowRecord & WebSocketFlow),
      runMessageHook: (flow, message) =>
        this.hooks.run('websocketMessage', flow as FlowRecord & WebSocketFlow, message),
      webSocketWaiter: (flow) => ({
        message: (goal, options) => this.flowWaits.message(flow, goal, options),
        close: (options) => this.flowWaits.close(flow, options),
      }),
      waitForEvent: (flow, search, options) => this.flowWaits.event(flow, search, options),
      answerFor: (flow) => this.answers.find(flow),
      acquire: (route, fresh, pin) => this.origins.acquire(route, fresh, pin),
      started: (flow) => {
        this.flows.add(flow);
        this.#inFlight.add(flow);
      },
      happened: (flow, moment) => {
        if (moment === 'complete' || moment === 'error') this.#inFlight.delete(flow);
        this.verdict.happened(flow);
        this.waits.happened(flow, moment);
        flow.progressed();
      },
      problem: (thrown) => this.verdict.problem(thrown),
    };
    return {
      ...flowServices,
      get ca() {
        return engine.authority;
      },
      idleWatch: this.#idleWatch,
      gate: Gate.of(this.options),
      tcp: this.tcp,
      nextId: () => this.#nextId(),
      isSelf: (host) => {
        const authority = parseAuthority(host, 80);
        return this.#isSelf(authority.host, authority.port);
      },
      isOwnConnection: (port) => this.origins.isOwnPort(port),
      spokenBy: (route) => this.origins.spokenBy(route),
      dial: (route, alpn) => this.origins.dial(route, alpn),
      prepare: (authority) => this.origins.prepare(authority),
      refused: (client, error, head) => this.#refused(client, error, head),
      clientConnected: (client) => this.#tell('clientConnect', client),
      clientDisconnected: (client) => this.#tell('clientDisconnect', client),
      clientError: (client, error) => this.#tell('clientError', client, error),
    };
  }

  #nextId(): string {
    return String(++this.#lastId);
  }

  /** Runs a hook that no message waits for. What it throws fails the test, nothing else. */
  async #tell<H extends 'clientConnect' | 'clientDisconnect' | 'clientError' | 'error'>(
    hook: H,
    ...args: Parameters<Hooks[H]>
  ): Promise<void> {
    try {
      await this.hooks.run(hook, ...args);
    } catch (thrown) {
      this.verdict.problem(thrown);
    }
  }

  /** Records a request that never became an exchange. */
  #refused(client: ClientInfo, error: FlowError, head: RefusedHead): void {
    const flow = new FlowRecord(this.#nextId(), client, undefined);
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
      this.verdict.happened(flow);
      this.waits.happened(flow, 'error');
    });
  }
}
