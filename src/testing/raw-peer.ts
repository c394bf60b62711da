import { connect, createServer, type Server, type Socket } from 'node:net';

/** How a connection ended, as its peer sees it. */
export type Ending = 'fin' | 'rst' | 'closed here';

interface Want {
  /** Not worth a look with fewer octets. */
  atLeast: number;
  /** Octets to take from what is unread; `undefined` if there are not enough. */
  find(unread: Buffer): number | undefined;
  what: string;
  resolve(bytes: Buffer): void;
  reject(error: Error): void;
}

/** One end of a TCP connection, byte by byte: no HTTP library is in the way. It reads all the time unless paused. */
export class RawPeer {
  /** Everything that was received so far, in octets. */
  total = 0;
  /** How the connection ended; resolves for a half-close too. */
  readonly ending: Promise<Ending>;
  ended: Ending | undefined;
  #parts: Buffer[] = [];
  #pending = 0;
  #want: Want | undefined;
  #settle: (ending: Ending) => void = () => undefined;

  constructor(
    readonly name: string,
    readonly socket: Socket,
  ) {
    this.ending = new Promise((resolve) => {
      this.#settle = resolve;
    });
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.total += bytes.length;
      this.#parts.push(bytes);
      this.#pending += bytes.length;
      this.#serve();
    });
    socket.on('end', () => this.#end('fin'));
    socket.on('error', () => this.#end('rst'));
    socket.on('close', () => this.#end('closed here'));
  }

  /** What was received and not yet read. */
  get unread(): Buffer {
    const [only] = this.#parts;
    if (this.#parts.length !== 1 || only === undefined) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  /** Sends one segment; resolves when the kernel has it. */
  send(...parts: (string | Uint8Array)[]): Promise<void> {
    const bytes = Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
    );
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Takes `wanted` octets, or everything to the end of the text `wanted`, when it has come. */
  read(wanted: number | string): Promise<Buffer> {
    const find = (unread: Buffer) => {
      if (typeof wanted === 'number') return unread.length >= wanted ? wanted : undefined;
      const at = unread.indexOf(wanted, 0, 'latin1');
      return at === -1 ? undefined : at + wanted.length;
    };
    const what = typeof wanted === 'number' ? `${wanted} octets` : JSON.stringify(wanted);
    return this.#take(find, typeof wanted === 'number' ? wanted : wanted.length, what);
  }

  /** Takes a head: start line and fields, with the empty line. */
  async head(): Promise<string> {
    return (await this.read('\r\n\r\n')).toString('latin1');
  }

  /** Takes everything up to the connection's end, whichever that is. */
  async rest(): Promise<Buffer> {
    await this.ending;
    const rest = this.unread;
    this.#keep([]);
    return rest;
  }

  /** Closes this side only. */
  end(): void {
    this.socket.end();
  }

  /** Closes with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Stops reading, so that the sender's window closes. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** For messages about a test that hangs. */
  describe(): string {
    const waiting = this.#want === undefined ? '' : `, waiting for ${this.#want.what}`;
    const tail = JSON.stringify(this.unread.subarray(0, 300).toString('latin1'));
    return `${this.name}: received ${this.total}, ${this.ended ?? 'open'}${waiting}; unread ${tail}`;
  }

  #take(find: Want['find'], atLeast: number, what: string): Promise<Buffer> {
    if (this.#want !== undefined) throw new Error(`${this.name}: two reads at once`);
    return new Promise((resolve, reject) => {
      this.#want = { find, atLeast, what, resolve, reject };
      this.#serve();
    });
  }

  #serve(): void {
    const want = this.#want;
    if (want === undefined) return;
    // Joining what came for each octet that comes would take for ever with large bodies.
    if (this.#pending < want.atLeast && this.ended === undefined) return;
    const { unread } = this;
    const size = want.find(unread);
    if (size !== undefined) {
      this.#want = undefined;
      this.#keep([unread.subarray(size)]);
      want.resolve(unread.subarray(0, size));
    } else if (this.ended !== undefined) {
      this.#want = undefined;
      want.reject(
        new Error(`the connection ended (${this.ended}) before ${want.what} came. ${this.describe()}`),
      );
    }
  }

  #keep(parts: Buffer[]): void {
    this.#parts = parts;
    this.#pending = parts.reduce((sum, part) => sum + part.length, 0);
  }

  #end(ending: Ending): void {
    if (this.ended !== undefined) return;
    this.ended = ending;
    this.#settle(ending);
    this.#serve();
  }
}

/** A client: a connection to `port`. */
export function rawClient(port: number, name = 'client'): Promise<RawPeer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new RawPeer(name, socket));
    });
  });
}

/** An origin that says nothing by itself: a test takes its connections and scripts them. */
export class RawOrigin {
  /** Every connection that was made, in order. */
  readonly connections: RawPeer[] = [];
  #untaken: RawPeer[] = [];
  #takers: ((peer: RawPeer) => void)[] = [];

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {
    server.on('connection', (socket) => {
      const peer = new RawPeer(`origin connection ${this.connections.length + 1}`, socket);
      this.connections.push(peer);
      const taker = this.#takers.shift();
      if (taker === undefined) this.#untaken.push(peer);
      else taker(peer);
    });
  }

  static listen(): Promise<RawOrigin> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (typeof address === 'object' && address !== null) resolve(new RawOrigin(server, address.port));
      });
    });
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The next connection. */
  accept(): Promise<RawPeer> {
    const peer = this.#untaken.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  close(): void {
    for (const peer of this.connections) peer.destroy();
    this.server.close();
  }
}
