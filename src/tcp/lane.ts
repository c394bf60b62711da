import { TcpMessageRecord } from '../flow/tcp.js';
import type { TcpPeer } from '../flow/tcp-types.js';
import type { TcpEnd, TcpSession } from './session.js';

const NOOP = () => undefined;

/** One direction of a recorded TCP connection. */
export class TcpLane {
  /** What had come before it began, and `end` where the source has ended. */
  readonly #waiting: (Buffer | 'end')[] = [];
  /** A hook is running, or nothing may pass yet. */
  #held = true;
  /** The sink takes no more for now. */
  #full = false;

  constructor(
    private readonly session: TcpSession,
    private readonly from: TcpPeer,
    private readonly source: TcpEnd,
    private readonly sink: TcpEnd,
  ) {
    const { socket, buffers, rest } = source;
    if (rest.length > 0) this.#waiting.push(rest);
    if (buffers === undefined) socket.on('data', (bytes: Buffer) => this.#take(bytes, undefined));
    else buffers.onRead = (bytes) => this.#take(bytes, () => buffers.lend());
    // Listening to data has set it going.
    socket.pause();
    socket.on('end', this.#ended);
    if (socket.readableEnded) this.#ended();
    sink.socket.on('drain', () => {
      this.#full = false;
      this.#flow();
    });
  }

  /** Lets pass what came, and what comes from now on. */
  go(): void {
    this.#held = false;
    while (!this.#held && !this.session.over) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      if (next === 'end') this.#endSink();
      else this.#take(next, undefined);
    }
    this.#flow();
  }

  /**
   * Nothing is read while it is held: the source is paused.
   * @param lend keeps the octets valid until it is told that they are not needed any more; without it they are ours
   */
  #take(bytes: Buffer, lend: (() => () => void) | undefined): void {
    if (this.session.over) return;
    const { flow, services } = this.session;
    const borrowed = lend !== undefined;
    flow.received[this.from] += bytes.length;
    if (services.hasMessageHook()) {
      this.#show(new TcpMessageRecord(flow, this.from, borrowed ? Buffer.from(bytes) : bytes));
      return;
    }
    flow.keep(this.from, bytes, borrowed, services.options.maxStoredMessageSize);
    this.#write(bytes, lend?.() ?? NOOP);
    flow.progressed();
  }

  /** Shows a message to the hooks, and sends what they make of it. */
  #show(message: TcpMessageRecord): void {
    const { session } = this;
    session.flow.hold(message);
    this.#held = true;
    const sync = session.hook(
      'tcpMessage',
      () => session.services.runMessageHook(session.flow, message),
      (late) => {
        this.#write(message.data, NOOP);
        session.flow.settle(message, session.services.options.maxStoredMessageSize);
        session.flow.progressed();
        if (late) this.go();
        else this.#held = false;
      },
    );
    if (!sync) this.source.socket.pause();
  }

  #write(bytes: Buffer, written: () => void): void {
    if (this.sink.socket.write(bytes, written)) return;
    this.#full = true;
    this.source.socket.pause();
  }

  readonly #ended = () => {
    if (this.#held || this.#waiting.length > 0) this.#waiting.push('end');
    else this.#endSink();
  };

  #endSink(): void {
    const ended = (error?: Error | null) => {
      if (!error) this.session.laneDone();
    };
    this.sink.socket.end(ended);
  }

  #flow(): void {
    if (!this.#held && !this.#full && !this.session.over) this.source.socket.resume();
  }
}
