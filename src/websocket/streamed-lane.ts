import type { WebSocketPeer } from '../flow/payload-types.js';
import type { WebSocketMessageRecord } from '../flow/websocket.js';
import type { Transport } from '../tcp/transport.js';
import { type AssembledMessage, Assembler, type AssemblerEvents, type AssemblerSetup } from './assembler.js';
import { Fifo } from './fifo.js';
import { INFLATER_FULL, Lane, type LaneEvents, type OwnMessage } from './lane.js';
import type { Turn, Turns } from './turns.js';

/** Frames pass as they arrive, in whatever parts; what they say is recorded beside that, and never holds them up. */
export class StreamedLane extends Lane {
  readonly #assembler: Assembler;
  #bytes: Buffer = NOTHING;
  /** Octets of `#bytes` that have been passed on. */
  #passed = 0;
  /** Messages of our own that wait for the end of one that is passing. */
  readonly #own: OwnMessage[] = [];
  #hooks: Promise<void> | undefined;
  /** Of messages that have come to their ends and have not been told. */
  readonly #turns = new Fifo<Turn>();
  #onRecorded: (() => void) | undefined;

  constructor(
    from: WebSocketPeer,
    source: Transport,
    target: Transport,
    setup: AssemblerSetup,
    private readonly events: LaneEvents,
    turns: Turns,
  ) {
    super(from, source, target);
    const told: AssemblerEvents = {
      whole: (later) => {
        // Most are told at once, and need no turn.
        if (later || !turns.free) this.#turns.push(turns.take());
      },
      message: (message) => {
        const turn = this.#turns.shift();
        if (turn === undefined) this.#message(message);
        else turns.ready(turn, () => this.#message(message));
      },
      abandoned: () => {
        const turn = this.#turns.shift();
        if (turn !== undefined) turns.ready(turn, () => undefined);
      },
      boundary: (at) => {
        // RFC 6455 section 5.5.1: nothing of ours follows a close frame.
        if (this.#own.length > 0 && !this.over && !this.closeSeen) this.#passOwn(at);
      },
      ping: (type, data) => {
        if (!this.over) events.ping(type, data);
      },
      close: (code, reason) => {
        if (this.over) return;
        this.closeSeen = true;
        events.close(code, reason);
      },
      violation: (code, what) => {
        if (!this.over) events.violation(code, what);
      },
      drain: () => {
        this.unpause(INFLATER_FULL);
        this.#recorded();
      },
    };
    this.#assembler = new Assembler(setup, told);
  }

  get unfinished(): number | undefined {
    return this.#assembler.unfinished;
  }

  get unsent(): number {
    return this.#own.length;
  }

  data(bytes: Buffer): void {
    if (this.over) return;
    this.#bytes = bytes;
    this.#passed = 0;
    // First: whoever sees the octets finds what they say recorded.
    this.#assembler.read(bytes);
    if (!this.over) this.#pass(bytes.length);
    this.#bytes = NOTHING;
    if (this.#assembler.full) this.pause(INFLATER_FULL);
  }

  protected sendOwn(message: OwnMessage): void {
    this.#own.push(message);
    // Within a read the next boundary will send it.
    if (this.#bytes === NOTHING && this.#assembler.betweenMessages) this.#passOwn(0);
  }

  override whenRecorded(then: () => void): void {
    this.#onRecorded = then;
    this.#recorded();
  }

  override stop(): void {
    super.stop();
    this.#assembler.scanner.stop();
    this.#assembler.close();
  }

  #recorded(): void {
    const then = this.#onRecorded;
    if (then === undefined || this.#assembler.ending || this.#hooks !== undefined) return;
    this.#onRecorded = undefined;
    then();
  }

  #message(message: AssembledMessage): void {
    if (this.over) return;
    const record = this.events.message(message);
    record.final = 'on a streamed connection';
    this.events.messageDone(record);
    this.#hooksInTurn(record);
  }

  /** The hooks of one message run after those of the one before; nothing else waits for them. */
  #hooksInTurn(record: WebSocketMessageRecord): void {
    const { events } = this;
    const done = () => {
      if (!this.over) this.#recorded();
    };
    const run = () => (this.over ? undefined : events.hooks(record));
    const running = this.#hooks === undefined ? run() : this.#hooks.then(run);
    if (running === undefined) {
      done();
      return;
    }
    const inTurn = running.then(() => {
      if (this.#hooks === inTurn) this.#hooks = undefined;
      done();
    });
    this.#hooks = inTurn;
  }

  #passOwn(at: number): void {
    this.#pass(at);
    for (const message of this.#own.splice(0)) {
      this.events.injected(message);
      this.write(this.frameOf(message));
    }
  }

  #pass(end: number): void {
    if (end <= this.#passed) return;
    const whole = this.#passed === 0 && end === this.#bytes.length;
    const part = whole ? this.#bytes : this.#bytes.subarray(this.#passed, end);
    this.#passed = end;
    this.write(part, this.source.lend());
  }
}

const NOTHING = Buffer.alloc(0);
