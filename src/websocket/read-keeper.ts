/**
 * Keeps parts of what is read. Read buffers that are used again are copied, once where everything is kept; others are
 * kept as they are, unless that would hold on to much more than what is wanted.
 */
export class ReadKeeper {
  #bytes: Buffer = Buffer.alloc(0);
  #copy: Buffer | undefined;
  #ours = false;

  /**
   * @param recycled whether the buffers of reads are used again
   * @param sparing whether only parts of what is read are kept
   */
  constructor(
    private readonly recycled: boolean,
    private readonly sparing: boolean,
  ) {}

  /** What is kept from now on is of these octets. @param ours they stay as they are, whatever reads do */
  begin(bytes: Buffer, ours = false): void {
    this.#ours = ours;
    this.#bytes = bytes;
    this.#copy = undefined;
  }

  /** A buffer that stays as it is, and where in it the octets begin. */
  keep(start: number, end: number): { bytes: Buffer; at: number } {
    const bytes = this.#bytes;
    if (this.sparing && (end - start) * 2 < bytes.length) {
      return { bytes: Buffer.from(bytes.subarray(start, end)), at: 0 };
    }
    if (!this.recycled || this.#ours) return { bytes, at: start };
    this.#copy ??= Buffer.from(bytes);
    return { bytes: this.#copy, at: start };
  }

  /** The octets, in a buffer that stays as it is. */
  slice(start: number, end: number): Buffer {
    const { bytes, at } = this.keep(start, end);
    return bytes.subarray(at, at + end - start);
  }
}
