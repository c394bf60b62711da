/**
 * WebSockets through the proxy beside a tunnel that pipes: inside CONNECT, without TLS. A connection is closed and its
 * flow let go after each turn, so that what earlier ones stored does not count.
 */
import {
  ask,
  GIB,
  growth,
  MIB,
  median,
  type Peer,
  ratio,
  report,
  spawn,
  spawnSluice,
  turns,
} from './harness.js';
import { echoed, type Load } from './websocket-load.js';

const SMALL: Load = { type: 'text', size: 100, messages: 200_000, inFlight: 64 };
const LARGE: Load = { type: 'binary', size: MIB, messages: 256, inFlight: 4 };
const CAP = 65_536;

/** Throws unless the proxy has recorded the load and its echoes. */
async function checkRecord(peer: Peer, { size, messages }: Load, cap: number): Promise<void> {
  const { messages: found } = await ask(peer, 'messages');
  const expected = {
    count: 2 * messages,
    octets: 2 * messages * size,
    truncated: size > cap ? 2 * messages : 0,
    stored: Math.min(size, cap),
  };
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`recorded ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
  }
}

/** Turns of a load over one peer. */
class Turns {
  readonly #cpu: number[] = [];

  /** @param cap octets of a message that the peer records; `undefined`: it records nothing */
  constructor(
    private readonly peer: Peer,
    private readonly origin: Peer,
    private readonly load: Load,
    private readonly cap?: number,
  ) {}

  /** One turn, in seconds. */
  async run(): Promise<number> {
    const { peer, load, cap } = this;
    const { cpu: before } = await ask(peer, 'state');
    const seconds = await echoed(peer.port, this.origin.port, load);
    const { cpu: after } = await ask(peer, 'state');
    this.#cpu.push((after - before) / load.messages);
    if (cap !== undefined) await checkRecord(peer, load, cap);
    await ask(peer, 'clear');
    await ask(peer, 'gc');
    return seconds;
  }

  /** The peer's CPU time for a message and its echo. */
  get cpu(): string {
    return `${median(this.#cpu).toFixed(1)} us`;
  }
}

async function small(origin: Peer, tunnel: Peer, name: string, each: boolean): Promise<void> {
  const load = each ? { ...SMALL, messages: 50_000, each } : SMALL;
  const peer = await spawnSluice({}, 'none');
  const piped = new Turns(tunnel, origin, load);
  const recorded = new Turns(peer, origin, load, Number.POSITIVE_INFINITY);
  const [d = 0, t = 0, r = 0] = await turns([
    () => echoed(undefined, origin.port, load),
    () => piped.run(),
    () => recorded.run(),
  ]);
  peer.child.disconnect();
  const rate = (seconds: number) => `${Math.round(load.messages / seconds)}/s`;
  console.log(
    `     direct ${rate(d)}, tunnel ${rate(t)} (CPU ${piped.cpu}), recorded ${rate(r)} (CPU ${recorded.cpu})`,
  );
  const what = `WebSocket, 64 x 100 octets in flight, ${name}, recorded / tunnel`;
  // Written together, a tunnel moves 64 messages with each read: nothing that looks at each of them can keep up.
  if (each) report(what, ratio(t / r), '>= 0.8', t / r >= 0.8);
  else console.log(`     ${what}: ${ratio(t / r)}`);
}

async function large(origin: Peer, tunnel: Peer): Promise<void> {
  const storing = await spawnSluice({ streamWebsockets: true }, 'none');
  const capping = await spawnSluice({ streamWebsockets: true, maxStoredMessageSize: CAP }, 'none');
  const piped = new Turns(tunnel, origin, LARGE);
  const stored = new Turns(storing, origin, LARGE, Number.POSITIVE_INFINITY);
  const capped = new Turns(capping, origin, LARGE, CAP);
  const [d = 0, t = 0, s = 0, c = 0] = await turns([
    () => echoed(undefined, origin.port, LARGE),
    () => piped.run(),
    () => stored.run(),
    () => capped.run(),
  ]);
  for (const peer of [storing, capping]) peer.child.disconnect();
  const speed = (seconds: number) => `${((LARGE.messages * LARGE.size) / seconds / 1e9).toFixed(2)} GB/s`;
  console.log(
    `     each way: direct ${speed(d)}, tunnel ${speed(t)} (CPU ${piped.cpu}), ` +
      `stored ${speed(s)} (CPU ${stored.cpu}), 64k of each ${speed(c)} (CPU ${capped.cpu})`,
  );
  const what = 'WebSocket, 4 x 1 MiB in flight';
  report(`${what}, stored / tunnel`, ratio(t / s), '>= 0.7', t / s >= 0.7);
  report(`${what}, 64k of each stored / tunnel`, ratio(t / c), '>= 0.9', t / c >= 0.9);
}

async function huge(origin: Peer, name: string, fragment: number): Promise<void> {
  const peer = await spawnSluice({ streamWebsockets: true, maxStoredMessageSize: '1m' }, 'none');
  const message = (size: number): Load => ({
    type: 'binary',
    size,
    fragment: Math.min(fragment, size),
    messages: 1,
    inFlight: 1,
  });
  await echoed(peer.port, origin.port, message(64 * MIB));
  await ask(peer, 'clear');
  const grown = await growth(peer, () => echoed(peer.port, origin.port, message(GIB)));
  await checkRecord(peer, message(GIB), MIB);
  peer.child.disconnect();
  const what = `RSS growth, 1 GiB WebSocket message in ${name} and its echo, after 64 MiB`;
  report(what, `${grown.toFixed(1)} MiB`, '< 48 MiB', grown < 48);
}

export async function websocketScenario(): Promise<void> {
  const origin = await spawn('./echo.ts');
  const tunnel = await spawn('./peer.ts', 'tunnel');
  await small(origin, tunnel, 'written together', false);
  await small(origin, tunnel, 'written one by one', true);
  await large(origin, tunnel);
  await huge(origin, 'one frame', GIB);
  await huge(origin, 'frames of 1 MiB', MIB);
  for (const peer of [origin, tunnel]) peer.child.disconnect();
}
