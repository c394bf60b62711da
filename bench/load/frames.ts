/** As much of WebSocket framing (RFC 6455 section 5.2) as the clients and the echoing origin of the benchmarks need. */

export const FIN = 0x80;
export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;

/** The head of a frame. A masked one has the key 0, with which a masked payload looks like the plain one. */
export function frameHead(first: number, length: number, masked: boolean): Buffer {
  const flag = masked ? 0x80 : 0;
  const key = masked ? 4 : 0;
  if (length < 126) return Buffer.from([first, flag | length, ...Array<number>(key).fill(0)]);
  const head = Buffer.alloc((length < 65_536 ? 4 : 10) + key);
  head[0] = first;
  head[1] = flag | (length < 65_536 ? 126 : 127);
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** A frame whose payload is so many letters. */
export const frame = (first: number, length: number, masked: boolean): Buffer =>
  Buffer.concat([frameHead(first, length, masked), Buffer.alloc(length, 'sluice ')]);

/** Goes through the frames of a direction and tells of their heads, of payload as it comes, and of their ends. */
export class FrameReader {
  #first = 0;
  #length = 0;
  #left = -1;
  readonly #head = Buffer.alloc(14);
  #have = 0;
  #need = 2;

  constructor(
    private readonly masked: boolean,
    private readonly on: {
      head?(first: number, length: number): void;
      payload?(octets: number): void;
      end(first: number, length: number): void;
    },
  ) {}

  push(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#left === -1) {
        at = this.#readHead(bytes, at, to);
        if (this.#left === -1) return;
        this.on.head?.(this.#first, this.#length);
      }
      const part = Math.min(this.#left, to - at);
      at += part;
      this.#left -= part;
      if (part > 0) this.on.payload?.(part);
      if (this.#left > 0) return;
      this.#left = -1;
      this.on.end(this.#first, this.#length);
    }
  }

  #readHead(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to) {
      this.#head[this.#have++] = bytes[at++] ?? 0;
      if (this.#have === 2) this.#need = this.#headLength(this.#head[1] ?? 0);
      if (this.#have < this.#need) continue;
      const short = (this.#head[1] ?? 0) & 0x7f;
      this.#first = this.#head[0] ?? 0;
      this.#length = short;
      if (short === 126) this.#length = this.#head.readUInt16BE(2);
      if (short === 127) this.#length = Number(this.#head.readBigUInt64BE(2));
      this.#left = this.#length;
      this.#have = 0;
      this.#need = 2;
      break;
    }
    return at;
  }

  #headLength(second: number): number {
    if (second >= 0x80 !== this.masked) throw new Error(`a frame is ${this.masked ? 'not ' : ''}masked`);
    const short = second & 0x7f;
    return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (this.masked ? 4 : 0);
  }
}
