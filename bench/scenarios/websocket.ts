/**
 * WebSockets through the proxy beside a tunnel that pipes: inside CONNECT, without TLS. A connection is closed and its
 * flow let go after each turn, so that what earlier ones stored does not count.
 */
import { ask, end, GIB, growth, type Listening, MIB, rounds, script, turns } from '../harness.js';
import { echoed, type Load } from '../load/websocket.js';
import type { Origins } from '../origins/origins.js';
import type { Row, Scenario } from '../results.js';
import { others } from '../subjects.js';

const SMALL: Load = { type: 'text', size: 100, messages: 200_000, inFlight: 64 };
const LARGE: Load = { type: 'binary', size: MIB, messages: 256, inFlight: 4 };
const CAP = 65_536;
const TUNNEL = 'raw tunnel';

/** Throws unless the proxy has recorded the load and its echoes. */
async function checkRecord(peer: Listening, { size, messages }: Load, cap: number): Promise<void> {
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

/** Something that a load goes through. */
interface Passage {
  name: string;
  /** The port of a proxy; none: straight to the origin. */
  port: number | undefined;
  /** A process of ours. */
  peer?: Listening;
  /** Octets of a message that it records. */
  cap?: number;
}

const sluice = async (name: string, options: object, cap = Number.POSITIVE_INFINITY): Promise<Passage> => {
  const peer = await script('./peers/peer.ts', 'sluice', JSON.stringify(options), 'none');
  return { name, port: peer.port, peer, cap };
};

/** One turn, in seconds. What was recorded is looked at and let go. */
async function turn({ port, peer, cap }: Passage, origin: Listening, load: Load): Promise<number> {
  const seconds = await echoed(port, origin.port, load);
  if (peer !== undefined) {
    if (cap !== undefined) await checkRecord(peer, load, cap);
    await ask(peer, 'clear');
    await ask(peer, 'gc');
  }
  return seconds;
}

async function measured(
  passages: Passage[],
  origin: Listening,
  load: Load,
  unit: (seconds: number) => number,
): Promise<Row[]> {
  const values = await turns(passages.map((passage) => async () => unit(await turn(passage, origin, load))));
  return passages.map(({ name }, i) => ({ subject: name, values: values[i] ?? [] }));
}

async function small(
  origin: Listening,
  beside: Passage[],
  { name, each }: { name: string; each: boolean },
): Promise<Scenario> {
  const load = each ? { ...SMALL, messages: 50_000, each } : SMALL;
  const ours = await sluice('Sluice', {});
  const rows = await measured([...beside, ours], origin, load, (seconds) => load.messages / seconds);
  if (ours.peer) end(ours.peer);
  // Written together, a tunnel moves 64 messages with each read: nothing that looks at each of them can keep up.
  const asked = {
    what: 'WebSocket 100 B, recorded / raw tunnel',
    subject: 'Sluice',
    to: TUNNEL,
    atLeast: 0.85,
  };
  return {
    id: each ? 'websocket-small' : 'websocket-bulk',
    title: `WebSocket echo of 100 octets, 64 in flight, ${name}`,
    unit: 'messages/s',
    better: 'higher',
    rows,
    targets: each ? [asked] : [],
  };
}

async function large(origin: Listening, beside: Passage[]): Promise<Scenario> {
  const stored = await sluice('Sluice, streamed', { streamWebsockets: true });
  const capped = await sluice(
    'Sluice, 64k of each stored',
    { streamWebsockets: true, maxStoredMessageSize: CAP },
    CAP,
  );
  const speed = (seconds: number) => (LARGE.messages * LARGE.size) / seconds / 1e9;
  const rows = await measured([...beside, stored, capped], origin, LARGE, speed);
  for (const { peer } of [stored, capped]) if (peer) end(peer);
  return {
    id: 'websocket-large',
    title: 'WebSocket echo of 1 MiB, 4 in flight',
    unit: 'GB/s each way',
    better: 'higher',
    rows,
    targets: [
      {
        what: 'WebSocket 1 MiB, streamed and stored / raw tunnel',
        subject: stored.name,
        to: TUNNEL,
        atLeast: 0.7,
      },
      {
        what: 'WebSocket 1 MiB, 64k of each stored / raw tunnel',
        subject: capped.name,
        to: TUNNEL,
        atLeast: 0.9,
      },
    ],
  };
}

/** What the RSS grows by during a message of 1 GiB and its echo, after one of 64 MiB. */
async function huge(origin: Listening, fragment: number): Promise<number> {
  const { peer } = await sluice('', { streamWebsockets: true, maxStoredMessageSize: '1m' });
  if (peer === undefined) return Number.NaN;
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
  end(peer);
  return grown;
}

async function memory(origin: Listening): Promise<Scenario> {
  const rows: Row[] = [];
  for (const [subject, fragment] of [
    ['Sluice, in one frame', GIB],
    ['Sluice, in frames of 1 MiB', MIB],
  ] as const) {
    const values: number[] = [];
    for (let round = 0; round < Math.min(2, rounds); round++) values.push(await huge(origin, fragment));
    rows.push({ subject, values });
  }
  return {
    id: 'websocket-memory',
    title: 'Growth of RSS, a WebSocket message of 1 GiB and its echo, after 64 MiB',
    unit: 'MiB',
    better: 'lower',
    rows,
    targets: rows.map(({ subject }) => ({
      what: `RSS growth, 1 GiB WebSocket message, ${subject}`,
      subject,
      atMost: 48,
    })),
  };
}

export async function websocketScenarios(origins: Origins): Promise<Scenario[]> {
  const origin = await script('./origins/echo.ts');
  const tunnel = await script('./peers/peer.ts', 'tunnel');
  const cast = await others(origins, true);
  const able = cast.subjects.filter(({ name }) => !name.startsWith('http-mitm-proxy'));
  const unable = cast.subjects.filter((subject) => !able.includes(subject));
  const skipped = [
    ...cast.skipped,
    ...unable.map(({ name }) => `${name}: takes what is in a tunnel for TLS, and these are in clear text`),
  ];
  const piped: Passage[] = [
    { name: 'no proxy', port: undefined },
    { name: TUNNEL, port: tunnel.port, peer: tunnel },
  ];
  const beside = [...piped, ...able.map(({ name, port }) => ({ name, port }))];
  try {
    return [
      await small(origin, beside, { name: 'written one by one', each: true }),
      await small(origin, piped, { name: 'written together', each: false }),
      await large(origin, beside),
      await memory(origin),
    ].map((scenario) => ({ ...scenario, skipped }));
  } finally {
    for (const subject of cast.subjects) subject.stop();
    for (const peer of [origin, tunnel]) end(peer);
  }
}
