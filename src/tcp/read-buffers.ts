/** A connection starts with small buffers and moves to large ones when its reads fill them. */
const SMALL = 64 * 1024;
const LARGE = 1024 * 1024;
/** Free buffers of either size that are kept for all connections together. */
const KEPT = 16;

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
      this.onRead?.(lease.buffer.subarray(0, octets));
      lease.busy = false;
      giveBack(lease);
      return true;
    },
  };

  lend(): () => void {
    const lease = this.#current;
    if (lease === undefined) return () => undefined;
    lease.lent++;
    return () => {
      lease.lent--;
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
