import { once } from 'node:events';
import net from 'node:net';
import type { WebSocketPeer } from '../../flow/payload-types.js';
import type { WebSocketMessageRecord } from '../../flow/websocket.js';
import { ReadBuffers } from '../../tcp/read-buffers.js';
import { Transport } from '../../tcp/transport.js';
import { RawPeer } from '../../testing/raw-peer.js';
import type { AssemblerSetup } from '../assembler.js';
import { BufferedLane } from '../buffered-lane.js';
import type { DeflateSide } from '../extensions.js';
import type { Lane, LaneEvents } from '../lane.js';
import { StreamedLane } from '../streamed-lane.js';
import { Turns } from '../turns.js';
import { recordOf } from './assembling.js';
import type { Told } from './ws.js';

export interface LaneOptions {
  kind: 'streamed' | 'buffered';
  from: WebSocketPeer;
  deflate?: DeflateSide | undefined;
  /** As `LaneEvents.hooks`. */
  hooks?: (message: WebSocketMessageRecord) => Promise<void> | undefined;
}

/** A lane between two real connections. */
export interface LaneStage {
  lane: Lane;
  /** Whose octets pass. */
  source: RawPeer;
  /** Who receives them. */
  target: RawPeer;
  messages: WebSocketMessageRecord[];
  /** Of these, those that are done with. */
  done: WebSocketMessageRecord[];
  told: Told[];
  /** Called with each event, while it is told. */
  onEvent: (event: 'message' | 'ping' | 'close' | 'violation') => void;
  /** Resolves when the lane has been given so many octets in all. */
  given(octets: number): Promise<void>;
}

/** A connection: the end a lane gets, and its peer. */
async function connection(server: net.Server, buffers?: ReadBuffers): Promise<[Transport, RawPeer]> {
  const accepted = once(server, 'connection');
  const { port } = server.address() as net.AddressInfo;
  const onread = buffers === undefined ? {} : { onread: buffers.onread };
  const near = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...onread });
  const [far] = (await accepted) as [net.Socket];
  if (near.connecting) await once(near, 'connect');
  return [new Transport(near, near, buffers), new RawPeer('peer', far)];
}

/** Runs `play` with a lane as a session would make it: octets of a server are read into buffers that are used again. */
export async function withLane(
  { kind, from, deflate, hooks }: LaneOptions,
  play: (stage: LaneStage) => Promise<void>,
): Promise<void> {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const recycled = from === 'server';
  const [near, source] = await connection(server, recycled ? new ReadBuffers() : undefined);
  const [nearTarget, target] = await connection(server);
  const setup: AssemblerSetup = {
    masked: from === 'client',
    deflate,
    opaque: false,
    limit: kind === 'streamed' ? 1_000_000 : Number.POSITIVE_INFINITY,
    bearable: kind === 'streamed' ? Number.POSITIVE_INFINITY : 1_000_000,
    recycled,
  };
  const messages: WebSocketMessageRecord[] = [];
  const done: WebSocketMessageRecord[] = [];
  const told: Told[] = [];
  const events: LaneEvents = {
    message: (message) => {
      const record = recordOf(message);
      messages.push(record);
      stage.onEvent('message');
      return record;
    },
    hooks: (message) => hooks?.(message),
    messageDone: (message) => done.push(message),
    injected: () => undefined,
    ping: (type, data) => {
      told.push({ type, data: data.toString('hex') });
      stage.onEvent('ping');
    },
    close: (code, reason) => {
      told.push({ type: 'close', code: code ?? 1005, reason });
      stage.onEvent('close');
    },
    violation: (code) => {
      told.push({ type: 'error', code });
      if (kind === 'buffered') lane.stop();
      stage.onEvent('violation');
    },
  };
  const lane: Lane =
    kind === 'streamed'
      ? new StreamedLane(from, near, nearTarget, setup, events, new Turns())
      : new BufferedLane(from, near, nearTarget, setup, events);
  let given = 0;
  let waits: { octets: number; resolve: () => void }[] = [];
  const stage: LaneStage = {
    lane,
    source,
    target,
    messages,
    done,
    told,
    onEvent: () => undefined,
    given(octets) {
      if (given >= octets) return Promise.resolve();
      return new Promise((resolve) => waits.push({ octets, resolve }));
    },
  };
  const ignore = () => undefined;
  near.attach({
    data: (bytes) => {
      lane.data(bytes);
      given += bytes.length;
      for (const { octets, resolve } of waits) if (given >= octets) resolve();
      waits = waits.filter(({ octets }) => octets > given);
    },
    end: ignore,
    close: ignore,
    drain: ignore,
  });
  nearTarget.attach({ data: ignore, end: ignore, close: ignore, drain: () => lane.drained() });
  try {
    await play(stage);
  } finally {
    lane.stop();
    for (const end of [near, nearTarget, source, target]) end.destroy();
    server.close();
  }
}
