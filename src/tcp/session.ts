import type { Socket } from 'node:net';
import { type FlowErrorCode, messageOf } from '../errors.js';
import type { TcpFlowRecord } from '../flow/tcp.js';
import type { TcpPeer } from '../flow/tcp-types.js';
import type { ClientInfo, ServerInfo } from '../flow/types.js';
import { TcpLane } from './lane.js';
import { lose, type RelayEnd } from './relay.js';
import type { TcpServices } from './services.js';

/** One end of a recorded TCP connection. */
export interface TcpEnd extends RelayEnd {
  raw: Socket;
}

/**
 * A connection that is relayed as it is and recorded: what either end says is shown to the hooks and sent on in order,
 * an orderly end is passed on as one, a loss as a loss.
 */
export class TcpSession {
  readonly flow: TcpFlowRecord;
  #over = false;
  #server: TcpEnd | undefined;
  #lanesDone = 0;
  /** Hooks that are running, and `tcpStart` while it has yet to run: `tcpEnd` comes after them. */
  #running = 1;

  /** Without `begin` or `unreachable` nothing happens. */
  constructor(
    readonly services: TcpServices,
    info: ClientInfo,
    private readonly client: TcpEnd,
  ) {
    this.flow = services.open(info, () => this.fail('KILLED', 'flow.kill() was called'));
    services.sessions.add(this);
    // Its connection was cut for that: it is not the client that went away.
    if (services.closed) this.close();
    this.#watch('client', client);
  }

  get over(): boolean {
    return this.#over;
  }

  /** Relays between the client and `server`, once `tcpStart` has run. */
  begin(server: TcpEnd, info: ServerInfo): void {
    const { client } = this;
    this.flow.server = info;
    this.flow.progressed();
    this.#server = server;
    this.#watch('server', server);
    if (this.#over) lose(server);
    const lanes = [new TcpLane(this, 'client', client, server), new TcpLane(this, 'server', server, client)];
    this.#start(() => {
      for (const lane of lanes) lane.go();
    });
  }

  /** There is nobody to relay to. */
  unreachable(code: FlowErrorCode, message: string, cause: unknown): void {
    this.#start(() => this.fail(code, message, cause));
  }

  /** Ends it in an error: both ends see a lost connection. */
  fail(code: FlowErrorCode, message: string, cause?: unknown): void {
    if (this.#over) return;
    this.flow.error = cause === undefined ? { code, message } : { code, message, cause };
    this.#finish();
    lose(this.client);
    if (this.#server !== undefined) lose(this.#server);
  }

  /** The proxy is closed. */
  close(): void {
    this.fail('PROXY_CLOSED', 'the proxy was closed');
  }

  /** A direction has come to its end. */
  laneDone(): void {
    this.#lanesDone++;
    if (this.#lanesDone === 2) this.#finish();
  }

  /**
   * Runs a hook and then `next`, unless it is over by then. What the hook throws ends the flow.
   * @param next told whether it was `late`: the hook was asynchronous
   * @returns whether `next` has been called, or never will be
   */
  hook(name: string, run: () => Promise<void> | undefined, next: (late: boolean) => void): boolean {
    const failed = (error: unknown) => {
      this.services.problem(error);
      this.fail('HOOK_FAILED', `the ${name} hook threw: ${messageOf(error)}`, error);
    };
    let running: Promise<void> | undefined;
    this.#running++;
    try {
      running = run();
    } catch (error) {
      this.#running--;
      failed(error);
      return true;
    }
    if (running === undefined) {
      this.#running--;
      if (this.#over) this.#tellEnd();
      else next(false);
      return true;
    }
    running
      .then(() => this.#over || next(true), failed)
      .finally(() => {
        this.#running--;
        this.#tellEnd();
      });
    return false;
  }

  #start(next: () => void): void {
    this.hook('tcpStart', () => this.services.runHook('tcpStart', this.flow), next);
    this.#running--;
    this.#tellEnd();
  }

  #watch(peer: TcpPeer, { socket, raw }: TcpEnd): void {
    const lost = (error?: Error) => {
      const whose = peer === 'client' ? "client's" : "origin's";
      const detail = error === undefined ? '' : `: ${error.message}`;
      const code = peer === 'client' ? 'CLIENT_ABORTED' : 'ORIGIN_CLOSED';
      this.fail(code, `the ${whose} connection was lost${detail}`, error);
    };
    socket.on('error', lost);
    // Of a reset the socket above tells.
    if (raw !== socket) raw.on('error', () => undefined);
    socket.on('close', () => {
      if (!socket.readableEnded || !socket.writableFinished) lost();
    });
    // Nobody may have listened for a while.
    if (socket.destroyed) lost(socket.errored ?? undefined);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.flow.end();
    this.services.sessions.delete(this);
    this.#tellEnd();
  }

  /** Runs `tcpEnd`, unless another hook has yet to come to its end. Nothing calls it again after that. */
  #tellEnd(): void {
    if (!this.#over || this.#running > 0) return;
    const failed = (error: unknown) => {
      this.services.problem(error);
      this.flow.error ??= {
        code: 'HOOK_FAILED',
        message: `the tcpEnd hook threw: ${messageOf(error)}`,
        cause: error,
      };
    };
    try {
      this.services.runHook('tcpEnd', this.flow)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}
