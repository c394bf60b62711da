/**
 * A run of the command: from the first line to the last.
 * @module
 */
import { clearInterval, performance, setImmediate, setInterval, setTimeout } from '../clock.js';
import {
  type ClientInfo,
  type HttpFlow,
  isSluiceError,
  type RecordingProxy,
  startProxy,
  type TcpFlow,
} from '../index.js';
import { ClientDistrust, compileFilter, plural, printable } from '../internal.js';
import { reverseUrl } from '../options/mode.js';
import { inFull, inOneLine } from './addon-errors.js';
import { Addons } from './addons.js';
import type { Task } from './arguments.js';
import { flowLines, tcpFlowLines } from './flow-log.js';
import { checkWritable, KeptFlows, save } from './output-files.js';
import { Progress } from './progress.js';
import type { Paint, Screen } from './screen.js';
import { asTyped } from './settings.js';

/** A task that starts a proxy. */
export type Run = Extract<Task, { show?: undefined }>;

/** Milliseconds between two drawings of the progress. */
const REDRAW = 100;
/** Milliseconds that flows have to end by themselves when the command is to end. */
const GRACE = 10_000;
/** Milliseconds that hooks have for flows that were cut. */
const SETTLING = 1000;

/** A proxy with its addons, its lines and its files. */
export class Session {
  readonly #progress = new Progress();
  readonly #kept: KeptFlows | undefined;
  readonly #over = new WeakSet<HttpFlow>();
  readonly #matches: (flow: HttpFlow | TcpFlow) => boolean;
  /** Where to, and how, clients did not trust the CA: each is told once. */
  readonly #distrust = new Set<string>();
  readonly #ticker: NodeJS.Timeout | undefined;
  #cut: () => void = () => undefined;
  #allOver: () => void = () => undefined;
  #stopped: Promise<void> | undefined;

  private constructor(
    readonly proxy: RecordingProxy,
    private readonly addons: Addons,
    private readonly task: Run,
    private readonly screen: Screen,
    private readonly paint: { out: Paint; err: Paint },
  ) {
    this.#matches = task.filter === undefined ? () => true : compileFilter(task.filter);
    this.#kept = task.saveHar === undefined ? undefined : new KeptFlows();
    proxy.watch((flow, moment) => this.#happened(flow, moment));
    proxy.on('clientError', (client, error) => this.#tellClientError(client, error));
    proxy.on('tcpEnd', (flow) => this.#print(flow));
    // After the hooks of the command's own: what follows one that throws is not called.
    addons.install(proxy);
    addons.watch();
    if (!task.quiet && screen.hasFoot) this.#ticker = setInterval(() => this.#draw(), REDRAW).unref();
  }

  /**
   * Starts everything, or nothing.
   * @throws SluiceError for what the user should mend, before anything listens
   */
  static async start(task: Run, screen: Screen, paint: { out: Paint; err: Paint }): Promise<Session> {
    if (task.filter !== undefined) compileFilter(task.filter);
    await checkWritable('--save-har', task.saveHar);
    await checkWritable('--save-ca', task.saveCa);
    const addons = new Addons({
      failed: (what) => screen.note(paint.err.red(what)),
      warned: (what) => screen.note(paint.err.yellow(what)),
      reloaded: (what) => {
        if (!task.quiet) screen.note(what);
      },
    });
    await addons.load(task.addons);
    const proxy = await startProxy(task.options);
    const session = new Session(proxy, addons, task, screen, paint);
    if (task.saveCa !== undefined) await save(task.saveCa, proxy.ca.cert);
    return session;
  }

  /** What the command says first. */
  greeting(): string[] {
    const { saveCa, options } = this.task;
    const url = reverseUrl(options.mode ?? 'regular');
    const target = url === undefined ? '' : ` for ${url.origin}`;
    const own = options.ca === undefined ? 'made for this run (--set ca=CERT,KEY keeps one)' : 'yours';
    const file = saveCa === undefined ? '--save-ca FILE writes its certificate' : `certificate in ${saveCa}`;
    const ca = `its CA: ${own}; ${file}`;
    return [`sluice listens on ${this.proxy.server}${target}`, this.paint.out.dim(ca)];
  }

  /** A line on standard error. */
  note(text: string): void {
    this.screen.note(this.paint.err.red(text));
  }

  /**
   * Reports an error that nobody caught as an addon's, if there are addons: often it does not say where it is from.
   * @returns whether it was reported
   */
  blameAddon(thrown: unknown): boolean {
    if (this.task.addons.length === 0) return false;
    if (this.addons.threw(thrown)) return true;
    this.note(`addon: nobody caught ${inFull(thrown)}`);
    return true;
  }

  /**
   * Lets the flows in flight end, closes, and writes the files. Asked again, or after ten seconds, cuts what is left.
   * @throws what kept a file from being written
   */
  stop(): Promise<void> {
    if (this.#stopped === undefined) this.#stopped = this.#stop();
    else this.#cut();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { proxy } = this;
    const cut = new Promise<void>((resolve) => {
      this.#cut = resolve;
    });
    proxy.stopListening();
    this.addons.close();
    if (this.#progress.size > 0 && !this.task.quiet) {
      const flows = plural(this.#progress.size, 'flow');
      this.screen.note(`closing: ${flows} in flight may end within ${GRACE / 1000} s; Ctrl-C again cuts`);
    }
    await Promise.race([cut, this.#idle()]);
    await proxy.close();
    await this.#settled();
    clearInterval(this.#ticker);
    this.screen.draw([]);
    const { saveHar, quiet } = this.task;
    if (saveHar === undefined || this.#kept === undefined) return;
    await save(saveHar, this.#kept.har());
    if (!quiet) this.screen.note(`${saveHar}: ${plural(this.#kept.length, 'flow')} saved`);
  }

  async #idle(): Promise<void> {
    try {
      await this.proxy.idle({ quiet: 0, timeout: GRACE });
    } catch (error) {
      if (!(isSluiceError(error) && error.code === 'WAIT_TIMEOUT')) throw error;
      if (!this.task.quiet) this.screen.note(`closing: the ${GRACE / 1000} s are over; what is left is cut`);
    }
  }

  /** Addons may take their time over the flows that were cut. */
  #settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#allOver = resolve;
      if (this.#progress.size === 0) resolve();
      else setTimeout(resolve, SETTLING);
    });
  }

  #happened(flow: HttpFlow, moment: string): void {
    if (this.#over.has(flow)) return;
    const isOver =
      flow.websocket === undefined ? moment === 'complete' || moment === 'error' : moment === 'websocketEnd';
    if (!isOver) {
      if (flow.websocket === undefined) this.#progress.follow(flow);
      return;
    }
    this.#over.add(flow);
    // What was written just before a body failed is counted when the write is told of.
    if (flow.error === undefined) {
      this.#isOver(flow);
      return;
    }
    // Until then it is waited for.
    this.#progress.follow(flow);
    setImmediate(() => this.#isOver(flow));
  }

  #isOver(flow: HttpFlow): void {
    this.#progress.leave(flow);
    // Or its line would follow the one that says it is over.
    if (this.#ticker !== undefined) this.#draw();
    // The command may run for days: what is to be saved is in #kept, and the proxy's own list is of no use.
    this.proxy.flows.clear();
    this.#tellProblem(flow);
    if (this.#matches(flow)) {
      this.#kept?.add(flow);
      this.#print(flow);
    }
    if (this.#progress.size === 0) this.#allOver();
  }

  #tellClientError(client: ClientInfo, error: Error): void {
    const where = client.tunnel === undefined ? '' : ` to ${printable(client.tunnel)}`;
    const who = `client ${client.address}:${client.port}${where}`;
    if (!(error instanceof ClientDistrust)) {
      this.note(`${who}: ${asTyped(inOneLine(error))}`);
      return;
    }
    // Clients try again and again.
    const what = error.alert === undefined ? `: ${error.message}` : ' does not trust the CA';
    if (this.#distrust.has(where + what)) return;
    this.#distrust.add(where + what);
    const { saveCa } = this.task;
    const file =
      saveCa === undefined ? '--save-ca FILE writes its certificate' : `its certificate is in ${saveCa}`;
    this.note(`${who}${what}; ${file}`);
  }

  #print(flow: HttpFlow | TcpFlow): void {
    if (flow.type === 'tcp') {
      this.proxy.tcpFlows.clear();
      if (!this.#matches(flow)) return;
    }
    if (this.task.quiet) return;
    const { out } = this.paint;
    for (const line of flow.type === 'tcp' ? tcpFlowLines(flow, out) : flowLines(flow, out)) {
      this.screen.line(line);
    }
  }

  /** Of what an addon threw elsewhere than in a hook, as in a transform, only the flow knows. */
  #tellProblem({ error }: HttpFlow): void {
    // What is thrown is kept for the end of a test, of which there is none here.
    this.proxy.verify().catch((thrown: unknown) => this.addons.threw(thrown));
    if (error?.cause === undefined) return;
    const doing = error.code === 'TRANSFORM_FAILED' ? 'transform' : undefined;
    const isReported = this.addons.threw(error.cause, doing);
    if (error.code === 'INTERNAL' && !isReported && error.cause instanceof Error) {
      this.note(error.cause.stack ?? error.message);
    }
  }

  #draw(): void {
    const { screen } = this;
    screen.draw(this.#progress.lines(performance.now(), screen.width, screen.height));
  }
}
