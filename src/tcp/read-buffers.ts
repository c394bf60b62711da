/** A connection starts with small buffers and moves to large ones when its reads fill them. */
const SMALL = 64 * 1024;
const LARGE = 1024 * 1024;
/** Free buffers of either size that are kept for all connections together. */
const KEPT = 16;
/**
 * Octets of buffers that a connection lends at a time. Reads beyond that are copied: those that wait for a slow receiver
 * may be small, and would hold a large buffer each.
 */
const LENT = 4 * 1024 * 1024;

const freeSmall: Buffer[] = [];
const freeLarge: Buffer[] = [];

function poolOf(size: number): Buffer[] {
  return size === SMALL ? freeSmall : freeLarge;
}

interface Lease {
  buffer: Buffer;
  lent: number;
  /** The read is being told. */
  busy: boolean;
}

/**
 * Read buffers that are used again, for `net.connect({ onread })`: fewer and larger reads, and no allocation for each.
 * A buffer returns to the pool when its read has been told and everything lent from it has been given back.
 */
export class ReadBuffers {
  onRead: ((bytes: Buffer) => void) | undefined;
  #current: Lease | undefined;
  #size = SMALL;
  /** Octets of the buffers that are lent. */
  #lent = 0;

  /** The `onread` option of `net.connect`. */
  readonly onread = {
    buffer: (): Buffer => {
      const buffer = poolOf(this.#size).pop() ?? Buffer.allocUnsafeSlow(this.#size);
      this.#current = { buffer, lent: 0, busy: true };
      return buffer;
    },
    callback: (octets: number, buffer: Uint8Array): boolean => {
      const lease = this.#current;
      if (lease === undefined) return true;
      if (octets === buffer.length) this.#size = LARGE;
      const bytes = lease.buffer.subarray(0, octets);
      if (this.#lent < LENT) {
        this.onRead?.(bytes);
      } else {
        // Of a copy there is nothing to lend.
        this.#current = undefined;
        this.onRead?.(Buffer.from(bytes));
      }
      lease.busy = false;
      giveBack(lease);
      return true;
    },
  };

  lend(): () => void {
    const lease = this.#current;
    if (lease === undefined) return () => undefined;
    if (lease.lent === 0) this.#lent += lease.buffer.length;
    lease.lent++;
    return () => {
      lease.lent--;
      if (lease.lent === 0) this.#lent -= lease.buffer.length;
      giveBack(lease);
    };
  }
}

function giveBack(lease: Lease): void {
  if (lease.busy || lease.lent > 0) return;
  // Never twice: from here on the lease is busy for good.
  lease.busy = true;
  const pool = poolOf(lease.buffer.length);
  if (pool.length < KEPT) pool.push(lease.buffer);
}
