import type { WebSocketPeer } from '../flow/payload-types.js';
import type { WebSocketMessageRecord } from '../flow/websocket.js';
import type { Transport } from '../tcp/transport.js';
import { type AssembledMessage, Assembler, type AssemblerSetup } from './assembler.js';
import { encodeMessage, type Reencoding } from './encode.js';
import { Lane, type LaneEvents, MESSAGE_HELD, type OwnMessage } from './lane.js';

const NOTHING = Buffer.alloc(0);
const NOWHERE = -1;

/**
 * Each message is held until it is whole and the hooks have seen it; untouched, its frames leave as they came. While a
 * message waits for a hook, or to be (de)compressed, nothing after it is looked at. Control frames don't wait for the
 * message that they stand in.
 */
export class BufferedLane extends Lane {
  readonly #assembler: Assembler;
  readonly #reencoding: Reencoding;
  /** The octets that are being looked at. */
  #bytes: Buffer = NOTHING;
  /** What of these may pass, and has not: together it leaves in one write. */
  #from = 0;
  #to = 0;
  /** Where in these the frames of the message begin that is not whole, or the rest of one. */
  #begin = NOWHERE;
  /** Frames, or parts of them, of that message from before `#begin`. */
  #wire: Buffer[] = [];
  #controlBegin = NOWHERE;
  #controlWire: Buffer[] = [];
  /** Octets that wait for a held message. */
  #rest: Buffer[] = [];
  #held = false;
  /** Index after the last octet of a message that is whole. */
  #end = 0;

  constructor(
    from: WebSocketPeer,
    source: Transport,
    target: Transport,
    setup: AssemblerSetup,
    private readonly events: LaneEvents,
  ) {
    super(from, source, target);
    this.#reencoding = { deflate: setup.deflate, masked: setup.masked, begun: false, deflater: undefined };
    this.#assembler = new Assembler(setup, {
      dataStart: (at) => this.#dataStart(at),
      controlStart: (at) => this.#controlStart(at),
      controlEnd: (at) => this.#controlEnd(at),
      messageEnd: (at, later) => {
        this.#end = at;
        if (later) this.#hold();
      },
      message: (message) => this.#message(message),
      ping: (type, data) => {
        if (!this.over) events.ping(type, data);
      },
      close: (code, reason) => {
        if (this.over) return;
        this.closeSeen = true;
        // RFC 6455 section 5.5.1: nothing follows it.
        this.#assembler.scanner.stop();
        events.close(code, reason);
      },
      violation: (code, what) => this.#violation(code, what),
      // What is decompressed is held anyway.
      drain: () => undefined,
    });
  }

  get unfinished(): number | undefined {
    return this.#assembler.unfinished;
  }

  get unsent(): number {
    return 0;
  }

  data(bytes: Buffer): void {
    if (this.over || this.closeSeen) return;
    if (this.#held) this.#rest.push(Buffer.from(bytes));
    else this.#look(bytes, false);
  }

  protected sendOwn(message: OwnMessage): void {
    this.#flush();
    this.events.injected(message);
    this.write(this.frameOf(message));
  }

  override stop(): void {
    // What may pass was in order, whatever came after it.
    this.#flush();
    super.stop();
    this.#rest = [];
    this.#wire = [];
    this.#assembler.scanner.stop();
    this.#assembler.close();
    this.#reencoding.deflater?.close();
  }

  /** @param ours the octets stay as they are: they are no read's any more */
  #look(bytes: Buffer, ours: boolean): void {
    this.#bytes = bytes;
    this.#from = 0;
    this.#to = 0;
    const { scanner } = this.#assembler;
    const inData = scanner.inFrame && !scanner.isControl;
    this.#begin = inData ? 0 : NOWHERE;
    this.#controlBegin = scanner.inFrame && !inData ? 0 : NOWHERE;
    const looked = this.#assembler.read(bytes, ours);
    if (this.over) return;
    const end = looked - scanner.headerHeld;
    if (this.#begin !== NOWHERE && !this.#held) this.#wire.push(this.#assembler.keep(this.#begin, end));
    if (this.#controlBegin !== NOWHERE) this.#controlWire.push(this.#assembler.keep(this.#controlBegin, end));
    this.#flush();
    this.#bytes = NOTHING;
    if (looked === bytes.length || this.closeSeen) return;
    // It was held; and may have been let go at once.
    const rest = bytes.subarray(looked);
    if (this.#held) this.#rest.unshift(ours ? rest : Buffer.from(rest));
    else this.#look(rest, ours);
  }

  #dataStart(at: number): void {
    if (at >= 0) {
      if (this.#begin === NOWHERE) this.#begin = at;
      return;
    }
    const { scanner } = this.#assembler;
    this.#wire.push(scanner.header());
    this.#begin = at + scanner.headerLength;
  }

  #controlStart(at: number): void {
    const { scanner } = this.#assembler;
    if (this.#begin !== NOWHERE) this.#wire.push(this.#assembler.keep(this.#begin, at));
    this.#begin = NOWHERE;
    if (at < 0) this.#controlWire = [scanner.header()];
    this.#controlBegin = at < 0 ? at + scanner.headerLength : at;
  }

  #controlEnd(at: number): void {
    if (this.over) return;
    this.#passAll(this.#controlWire, this.#controlBegin, at);
    this.#controlWire = [];
    this.#controlBegin = NOWHERE;
  }

  #message(message: AssembledMessage): void {
    if (this.over) return;
    const record = this.events.message(message);
    const running = this.events.hooks(record);
    if (running === undefined) {
      this.#heard(message, record);
      return;
    }
    this.#hold();
    running.then(() => {
      if (!this.over) this.#heard(message, record);
    });
  }

  /** The hooks have seen it. */
  #heard(message: AssembledMessage, record: WebSocketMessageRecord): void {
    if (this.over) return;
    record.final = 'after it had been sent';
    if (!record.dropped && !record.edited && !(message.compressed && this.#reencoding.begun)) {
      this.#passAll(this.#wire, this.#begin, this.#end);
      this.#done(record);
      return;
    }
    this.#wire = [];
    this.#flush();
    // The other end's decompression would miss what was kept from it.
    if (message.compressed && this.#reencoding.deflate?.noContextTakeover === false)
      this.#reencoding.begun = true;
    if (record.dropped) {
      this.#done(record);
      return;
    }
    const send = (frames: Buffer[]) => {
      if (this.over) return;
      for (const frame of frames) this.write(frame);
      this.#done(record);
    };
    const frames = encodeMessage(message, record, this.#reencoding, (later, error) => {
      if (later !== undefined) send(later);
      else this.#violation(1011, `a message can't be compressed (${error?.message})`);
    });
    if (frames === undefined) this.#hold();
    else send(frames);
  }

  #done(record: WebSocketMessageRecord): void {
    this.#wire = [];
    this.#begin = NOWHERE;
    this.events.messageDone(record);
    if (!this.#held || this.over) return;
    this.#held = false;
    const [first] = this.#rest;
    const rest = this.#rest.length === 1 ? first : Buffer.concat(this.#rest);
    this.#rest = [];
    if (rest !== undefined && rest.length > 0) this.#look(rest, true);
    if (!this.#held) this.unpause(MESSAGE_HELD);
  }

  /** The message that is whole waits; what of it is in this read is kept, and nothing after it is looked at. */
  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#assembler.scanner.stop();
    if (this.#begin !== NOWHERE) this.#wire.push(this.#assembler.keep(this.#begin, this.#end));
    this.#begin = NOWHERE;
    this.pause(MESSAGE_HELD);
  }

  #violation(code: number, what: string): void {
    if (!this.over) this.events.violation(code, what);
  }

  /** Lets whole frames pass: parts from earlier reads, and a part of this one. */
  #passAll(parts: readonly Buffer[], begin: number, end: number): void {
    if (parts.length > 0) {
      this.#flush();
      this.target.cork();
      for (const part of parts) this.write(part);
      this.target.uncork();
    }
    if (begin === NOWHERE) return;
    if (this.#to !== begin || parts.length > 0) {
      this.#flush();
      this.#from = begin;
    }
    this.#to = end;
  }

  #flush(): void {
    const { length } = this.#bytes;
    if (this.#from < this.#to) {
      const whole = this.#from === 0 && this.#to === length;
      const part = whole ? this.#bytes : this.#bytes.subarray(this.#from, this.#to);
      this.#from = this.#to;
      this.write(part, this.source.lend());
    }
  }
}
