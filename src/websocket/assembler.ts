import { isUtf8 } from 'node:buffer';
import { applyMask } from '../flow/mask.js';
import { now } from '../flow/transfer.js';
import type { MessageFacts, StoredPart } from '../flow/websocket.js';
import type { DeflateSide } from './extensions.js';
import { Fifo } from './fifo.js';
import { BINARY, CLOSE, CONTINUATION, isCloseCode, PING, PONG, RSV1, TEXT } from './frame.js';
import { type FrameEvents, FrameScanner } from './frame-scanner.js';
import { Inflater } from './inflater.js';
import { ReadKeeper } from './read-keeper.js';
import { Utf8Check } from './utf8.js';

/** A message that is being put together, or has been. */
export interface AssembledMessage extends MessageFacts {
  compressed: boolean;
  /** Of text, until it is found to be none. */
  check: Utf8Check | undefined;
}

/** What an assembler tells. */
export interface AssemblerEvents {
  /** A data frame has begun; `at` as in {@link FrameEvents.frameStart}. */
  dataStart?(at: number): void;
  /** A control frame has begun. */
  controlStart?(at: number): void;
  /** A control frame has come to its end, and what it says has been told. */
  controlEnd?(at: number): void;
  /** The last frame of a message has come to its end. `later`: the message is not told at once, but when it is decompressed. */
  messageEnd?(at: number, later: boolean): void;
  /** A message has come to its end; `message` follows, at once or `later`, or `abandoned` if it can't be decompressed. */
  whole?(later: boolean): void;
  abandoned?(): void;
  /** Everything has been told of what came before `at`, and the next frame begins a message or is a control frame. */
  boundary?(at: number): void;
  /** A message is there to its end. */
  message(message: AssembledMessage): void;
  ping(type: 'ping' | 'pong', data: Buffer): void;
  /** A close frame. `code` is `undefined` where it has none. */
  close(code: number | undefined, reason: string): void;
  /** Something that RFC 6455 rules out, and the code to close with. */
  violation(code: number, what: string): void;
  /** Decompression has caught up. */
  drain(): void;
}

export interface AssemblerSetup {
  /** Frames from a client are masked, those from a server are not. */
  masked: boolean;
  deflate: DeflateSide | undefined;
  /** Extensions that are not known may use reserved bits and change payloads: messages can't be read. */
  opaque: boolean;
  /** Octets of a message that are kept. */
  limit: number;
  /** Octets of a message that are bearable; more is told as a violation. */
  bearable: number;
  /** Read buffers are used again: what is kept is copied. */
  recycled: boolean;
}

/** A message that is held or stored is no larger: Node can't have much larger buffers, and a bomb is told by it. */
export const BEARABLE = 1024 ** 3;

const MAX_CONTROL = 125;
/** Frames of a message whose sizes are recorded; a message that is held has no more, since each of them costs. */
const MOST_FRAGMENTS = 1_000_000;
/** Octets of text up to which a look for anything but ASCII is cheaper than a call of Node's check. */
const SHORT = 256;
/** For messages that have none yet: an array that grows from empty gets room for many. */
const NO_PARTS: StoredPart[] = [];

/** Puts the messages of one direction together from the frames that pass. */
export class Assembler implements FrameEvents {
  readonly scanner = new FrameScanner(this);
  readonly #keeper: ReadKeeper;
  readonly #inflater: Inflater | undefined;
  // Texts come one after another, but while one is being decompressed the next may be there already.
  readonly #plainCheck = new Utf8Check();
  readonly #inflatedCheck = new Utf8Check();
  #open: AssembledMessage | undefined;
  /** Messages that are whole on the wire, and being decompressed; the first of them is what output belongs to. */
  readonly #ending = new Fifo<{ message: AssembledMessage; whole: boolean }>();
  /** Nothing more can be decompressed. */
  #broken = false;
  #full = false;
  #control: Buffer[] = [];
  /** The frame is among those whose size is recorded. */
  #counted = true;

  constructor(
    private readonly setup: AssemblerSetup,
    private readonly events: AssemblerEvents,
  ) {
    this.#keeper = new ReadKeeper(setup.recycled, setup.limit < BEARABLE);
    if (setup.deflate !== undefined) {
      this.#inflater = new Inflater(setup.deflate, {
        output: (bytes) => this.#output(bytes),
        messageEnd: () => this.#inflated(),
        broken: (why) => this.#inflateFailed(why),
        drain: () => {
          this.#full = false;
          events.drain();
        },
      });
    }
  }

  /** More waits to be decompressed than should: `drain` is told when it does not. */
  get full(): boolean {
    return this.#full;
  }

  /** A message is whole on the wire, but has not been told yet. */
  get ending(): boolean {
    return this.#ending.length > 0;
  }

  /** Between two messages, and between two frames. */
  get betweenMessages(): boolean {
    return this.#open === undefined && !this.scanner.inFrame && this.scanner.headerHeld === 0;
  }

  /** Octets that have come of a message that is not whole. */
  get unfinished(): number | undefined {
    return this.#open === undefined ? undefined : this.#open.fragments.reduce((sum, size) => sum + size, 0);
  }

  /** Looks at octets. @param ours they stay as they are. @returns how many, as {@link FrameScanner.scan} */
  read(bytes: Buffer, ours = false): number {
    this.#keeper.begin(bytes, ours);
    return this.scanner.scan(bytes);
  }

  /** What has been read can be kept until this is called again; see {@link ReadKeeper.keep}. */
  keep(start: number, end: number): Buffer {
    return this.#keeper.slice(start, end);
  }

  close(): void {
    this.#inflater?.close();
  }

  frameStart(at: number): void {
    const { scanner, events } = this;
    this.#check();
    if (scanner.isControl) {
      events.controlStart?.(at);
      return;
    }
    const { opcode } = scanner;
    if (opcode !== CONTINUATION || this.#open === undefined) {
      // Against the rules, and told: what there is of the message before is taken for all of it.
      if (this.#open !== undefined) this.#messageEnd(this.#open);
      const compressed = this.setup.deflate !== undefined && (scanner.rsv & RSV1) !== 0;
      this.#open = {
        from: this.setup.masked ? 'client' : 'server',
        type: opcode === TEXT ? 'text' : 'binary',
        compressed,
        parts: NO_PARTS,
        fragments: [0],
        size: 0,
        truncated: false,
        timestamp: 0,
        check: opcode !== TEXT ? undefined : compressed ? this.#inflatedCheck : this.#plainCheck,
      };
      this.#counted = true;
    } else {
      this.#counted = this.#open.fragments.length < MOST_FRAGMENTS;
      if (this.#counted) this.#open.fragments.push(0);
      else if (this.setup.bearable !== Number.POSITIVE_INFINITY) {
        this.events.violation(
          1009,
          `a message of over ${MOST_FRAGMENTS} fragments, which can't be held: stream it`,
        );
      }
    }
    events.dataStart?.(at);
  }

  payload(bytes: Buffer, start: number, end: number): void {
    const { scanner } = this;
    const key = scanner.masked ? scanner.key : undefined;
    const phase = scanner.length - scanner.left;
    if (scanner.isControl) {
      if (scanner.length <= MAX_CONTROL) this.#control.push(unmasked(bytes, start, end, key, phase));
      return;
    }
    const message = this.#open;
    if (message === undefined) return;
    if (this.#counted) message.fragments[message.fragments.length - 1] = phase + end - start;
    if (this.setup.opaque || (message.compressed && this.#broken)) return;
    if (message.compressed) {
      const octets =
        key === undefined ? this.#keeper.slice(start, end) : unmasked(bytes, start, end, key, phase);
      if (this.#inflater?.write(octets) === false) this.#full = true;
      return;
    }
    const short = end - start <= SHORT && message.check?.between === true;
    if (message.check !== undefined && !(short && isAscii(bytes, start, end, key ?? 0, phase))) {
      const text =
        key === undefined ? bytes.subarray(start, end) : unmaskedForNow(bytes, start, end, key, phase);
      this.#checkText(message, text);
    }
    const most = this.#take(message, end - start);
    if (most === 0) return;
    const { bytes: kept, at } = this.#keeper.keep(start, start + most);
    addPart(message, { bytes: kept, start: at, end: at + most, key, phase });
  }

  frameEnd(at: number): void {
    const { scanner, events } = this;
    const message = this.#open;
    if (scanner.isControl) {
      this.#controlEnd();
      events.controlEnd?.(at);
    } else if (message !== undefined && scanner.fin) {
      events.messageEnd?.(at, message.compressed && !this.#broken && !this.setup.opaque);
      this.#messageEnd(message);
    }
    if (this.#open === undefined) events.boundary?.(at);
  }

  #messageEnd(message: AssembledMessage): void {
    this.#open = undefined;
    if (this.setup.opaque || (message.compressed && this.#broken)) return;
    message.timestamp = now();
    this.events.whole?.(message.compressed || this.#ending.length > 0);
    if (!message.compressed) {
      this.#endText(message);
      // Those before it may still be decompressed.
      if (this.#ending.length === 0) this.#tell(message);
      else this.#ending.push({ message, whole: true });
    } else {
      this.#ending.push({ message, whole: false });
      if (this.#inflater?.end() === false) this.#full = true;
    }
  }

  /** Counts octets of a message's content. @returns how many of them are to be stored */
  #take(message: AssembledMessage, octets: number): number {
    const room = Math.max(0, this.setup.limit - message.size);
    message.size += octets;
    if (octets > room) message.truncated = true;
    if (message.size > this.setup.bearable) this.#tooLarge();
    return Math.min(room, octets);
  }

  #tooLarge(): void {
    this.events.violation(
      1009,
      `a message of over ${this.setup.bearable} octets, which can't be held: stream it`,
    );
  }

  #tell(message: AssembledMessage): void {
    this.events.message(message);
  }

  #output(bytes: Buffer): void {
    const message = this.#ending.first?.message ?? this.#open;
    if (message === undefined) return;
    this.#checkText(message, bytes);
    const most = this.#take(message, bytes.length);
    if (most === 0) return;
    const kept = most === bytes.length ? bytes : Buffer.from(bytes.subarray(0, most));
    addPart(message, { bytes: kept, start: 0, end: most, key: undefined, phase: 0 });
  }

  #inflated(): void {
    const first = this.#ending.shift();
    if (first === undefined) return;
    this.#endText(first.message);
    this.#tell(first.message);
    while (this.#ending.first?.whole === true) {
      const next = this.#ending.shift();
      if (next !== undefined) this.#tell(next.message);
    }
  }

  #inflateFailed(why: string): void {
    this.#broken = true;
    this.#full = false;
    this.events.violation(
      1007,
      `a compressed message that can't be decompressed (${why}); neither can those after it`,
    );
    for (let next = this.#ending.shift(); next !== undefined; next = this.#ending.shift()) {
      if (next.whole) this.#tell(next.message);
      else this.events.abandoned?.();
    }
    this.events.drain();
  }

  #controlEnd(): void {
    const { opcode } = this.scanner;
    const payload = Buffer.concat(this.#control);
    this.#control = [];
    if (opcode === PING || opcode === PONG) {
      this.events.ping(opcode === PING ? 'ping' : 'pong', payload);
    } else if (opcode === CLOSE) {
      const code = payload.length < 2 ? undefined : payload.readUInt16BE(0);
      const reason = payload.subarray(2);
      if (payload.length === 1) this.events.violation(1002, 'a close frame of one octet');
      else if (code !== undefined && !isCloseCode(code))
        this.events.violation(1002, `a close frame with code ${code}`);
      if (!isUtf8(reason)) this.events.violation(1007, 'a close frame whose reason is not UTF-8');
      this.events.close(code, reason.toString());
    }
  }

  /**
   * What of the frame's header RFC 6455 rules out. Lengths in more octets than they need (section 5.2) are let pass: every
   * peer reads them, and none reads them differently.
   */
  #check(): void {
    const { scanner, setup, events } = this;
    const { opcode, rsv } = scanner;
    const wrong = (what: string) => events.violation(1002, what);
    if (scanner.length >= 2 ** 63) wrong('a frame whose length is 2^63 or more');
    else if (scanner.lost) events.violation(1009, 'a frame whose length is over 2^53');
    else if (scanner.length > setup.bearable) this.#tooLarge();
    if (scanner.masked !== setup.masked)
      wrong(setup.masked ? 'a frame that is not masked' : 'a masked frame');
    const control = scanner.isControl;
    if (!setup.opaque && rsv !== 0) {
      const compresses = rsv === RSV1 && setup.deflate !== undefined && !control && opcode !== CONTINUATION;
      if (!compresses) wrong(`a frame with reserved bits (${rsv.toString(2).padStart(3, '0')})`);
    }
    // RFC 6455 section 5.8: an extension may have given them a meaning.
    const reserved = opcode > PONG || (opcode > BINARY && !control);
    if (reserved && !setup.opaque) wrong(`a frame with reserved opcode ${opcode}`);
    if (control) {
      if (!scanner.fin) wrong('a control frame in fragments');
      if (scanner.length > MAX_CONTROL) wrong(`a control frame of ${scanner.length} octets`);
    } else if (opcode === CONTINUATION && this.#open === undefined) {
      wrong('a continuation frame without a message to continue');
    } else if (opcode !== CONTINUATION && this.#open !== undefined) {
      wrong('a new message before the last fragment of the one before');
    }
  }

  #checkText(message: AssembledMessage, bytes: Buffer): void {
    if (message.check?.add(bytes) === false) this.#textIsBad(message);
  }

  #endText(message: AssembledMessage): void {
    if (message.check?.end() === false) this.#textIsBad(message);
  }

  #textIsBad(message: AssembledMessage): void {
    message.check?.end();
    message.check = undefined;
    this.events.violation(1007, 'a text message that is not UTF-8');
  }
}

function addPart(message: AssembledMessage, part: StoredPart): void {
  if (message.parts.length === 0) message.parts = [part];
  else message.parts.push(part);
}

function isAscii(bytes: Buffer, start: number, end: number, key: number, phase: number): boolean {
  let bits = 0;
  let turn = (phase & 3) << 3;
  for (let at = start; at < end; at++) {
    bits |= (bytes[at] ?? 0) ^ (key >>> turn);
    turn = (turn + 8) & 31;
  }
  return (bits & 0x80) === 0;
}

function unmasked(bytes: Buffer, start: number, end: number, key: number | undefined, phase: number): Buffer {
  const copy = Buffer.from(bytes.subarray(start, end));
  if (key !== undefined) applyMask(copy, 0, copy.length, key, phase);
  return copy;
}

let scratch = Buffer.alloc(64 * 1024);

/** The same, in a buffer that is used again. */
function unmaskedForNow(bytes: Buffer, start: number, end: number, key: number, phase: number): Buffer {
  if (scratch.length < end - start) scratch = Buffer.alloc(end - start);
  bytes.copy(scratch, 0, start, end);
  applyMask(scratch, 0, end - start, key, phase);
  return scratch.subarray(0, end - start);
}
