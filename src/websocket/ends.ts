import { clearTimeout, setTimeout } from '../clock.js';
import type { WebSocketPeer } from '../flow/payload-types.js';
import { LINGER } from '../tcp/linger.js';
import type { Transport } from '../tcp/transport.js';
import type { Lane } from './lane.js';

export function otherPeer(peer: WebSocketPeer): WebSocketPeer {
  return peer === 'client' ? 'server' : 'client';
}

/** A connection, and what was read from it already. */
export interface Handed {
  transport: Transport;
  rest: Buffer;
}

/** The lanes, by the end whose octets they carry. */
export type Lanes = Readonly<Record<WebSocketPeer, Lane>>;

/** One end's connection. */
export interface End {
  readonly peer: WebSocketPeer;
  readonly transport: Transport;
  /** Octets that came before there was a lane. */
  early: Buffer[];
  /** It has closed its side in an orderly way. */
  ended: boolean;
  closed: boolean;
}

/** What the ends tell the session. */
export interface EndsEvents {
  /** An end has closed its side, or its connection is gone; what had come from it has gone its way. */
  left(peer: WebSocketPeer): void;
  /** Both connections are gone, and what had come is recorded. */
  gone(): void;
}

/** The connections of a WebSocket's two ends: how they come to their ends. */
export class Ends {
  readonly client: End;
  readonly server: End;
  #lanes: Lanes | undefined;
  #over = false;
  #linger: NodeJS.Timeout | undefined;

  /** Takes the connections over; nothing passes before {@link open}. */
  constructor(
    client: Handed,
    server: Handed,
    private readonly events: EndsEvents,
  ) {
    this.client = this.#take('client', client);
    this.server = this.#take('server', server);
  }

  get both(): readonly [End, End] {
    return [this.client, this.server];
  }

  /** Lets octets pass. */
  open(lanes: Lanes): void {
    this.#lanes = lanes;
    for (const end of this.both) {
      // First: the lane may want it paused.
      if (!end.closed) end.transport.resume();
      for (const bytes of end.early.splice(0)) lanes[end.peer].data(bytes);
    }
    for (const end of this.both) {
      if (end.ended) this.#ended(end, lanes);
      if (end.closed) this.#closed(end, lanes);
    }
  }

  /** Closes the proxy's side of a connection once everything has gone out, and does not wait for the other for long. */
  close({ transport }: End): void {
    transport.write('', () => this.#lingerOn());
    transport.end();
  }

  /** Cuts both connections at once. Nothing is told any more. */
  destroy(): void {
    this.#stop();
    for (const { transport } of this.both) transport.destroy();
  }

  /** Nothing is told any more. */
  #stop(): void {
    this.#over = true;
    clearTimeout(this.#linger);
  }

  #take(peer: WebSocketPeer, { transport, rest }: Handed): End {
    const early = rest.length > 0 ? [rest] : [];
    const end: End = { peer, transport, early, ended: false, closed: transport.closed };
    transport.pause();
    transport.attach({
      data: (bytes) => {
        if (this.#lanes === undefined) {
          end.early.push(Buffer.from(bytes));
          return;
        }
        // What nobody receives prolongs nothing.
        if (!this.#otherThan(end).closed) this.#linger?.refresh();
        this.#lanes[peer].data(bytes);
      },
      end: () => {
        end.ended = true;
        if (this.#lanes !== undefined) this.#ended(end, this.#lanes);
      },
      close: () => {
        end.closed = true;
        if (this.#lanes !== undefined) this.#closed(end, this.#lanes);
      },
      drain: () => {
        this.#linger?.refresh();
        this.#lanes?.[otherPeer(peer)].drained();
      },
    });
    return end;
  }

  /** An end has closed its side. */
  #ended(end: End, lanes: Lanes): void {
    lanes[end.peer].whenIdle(() => {
      if (this.#over) return;
      this.events.left(end.peer);
      this.close(this.#otherThan(end));
    });
  }

  /** An end's connection is gone, in whatever way. */
  #closed(end: End, lanes: Lanes): void {
    if (this.#over) return;
    if (this.#otherThan(end).closed) {
      lanes.client.whenRecorded(() => lanes.server.whenRecorded(() => this.#gone(end)));
    } else if (!end.ended) {
      // Not with a reset: it would overtake what has been sent. Without a close frame, an end is no orderly one anyway.
      this.#ended(end, lanes);
    }
  }

  #gone({ peer }: End): void {
    if (this.#over) return;
    this.events.left(peer);
    this.#stop();
    this.events.gone();
  }

  #lingerOn(): void {
    if (this.#over) return;
    this.#linger ??= setTimeout(() => {
      // Whoever reads slowly still gets what waits.
      const waits = this.both.some(({ transport, closed }) => !closed && transport.socket.writableLength > 0);
      if (waits) this.#linger?.refresh();
      else for (const { transport } of this.both) transport.destroy();
    }, LINGER);
  }

  #otherThan(end: End): End {
    return end === this.client ? this.server : this.client;
  }
}
