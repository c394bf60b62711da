/** What streaming costs in memory: while it goes on, and what is kept of it. */
import { ask, end, GIB, growth, MIB, rounds, script } from '../harness.js';
import { download, upload } from '../load/sockets.js';
import type { Origins } from '../origins/origins.js';
import type { Row, Scenario } from '../results.js';
import { type Subject, sluice } from '../subjects.js';

const FLOWS = 3000;

const move = (subject: Subject, { own }: Origins, up: boolean, octets: number) =>
  up
    ? upload(subject, { port: own, secure: false, path: '/up' }, octets)
    : download(subject, { port: own, secure: false, path: `/down/${octets}` }, octets);

/** MiB that the RSS grows by, in a process that has moved 64 MiB. */
async function grown(origins: Origins, up: boolean, octets: number): Promise<number> {
  const subject = await sluice('Sluice', {}, 'stream');
  if (subject.peer === undefined) return Number.NaN;
  await move(subject, origins, up, 64 * MIB);
  const value = await growth(subject.peer, () => move(subject, origins, up, octets));
  subject.stop();
  return value;
}

async function retained({ own }: Origins): Promise<number> {
  const peer = await script('./peers/peer.ts', 'sluice', '{}', 'stream');
  const subject: Subject = { name: 'Sluice', kind: 'proxy', port: peer.port, stop: () => end(peer) };
  const many = async (count: number) => {
    const destination = { port: own, secure: false, path: '/down/20000' };
    for (let i = 0; i < count; i++) await download(subject, destination, 20_000);
  };
  const heap = async () => {
    await ask(peer, 'gc');
    const { heapUsed, external } = await ask(peer, 'gc');
    return heapUsed + external;
  };
  await many(500);
  const before = await heap();
  await many(FLOWS);
  const after = await heap();
  subject.stop();
  return (after - before) / FLOWS / 1024;
}

export async function memoryScenarios(origins: Origins): Promise<Scenario[]> {
  const rows: Row[] = [];
  for (const [subject, up, octets] of [
    ['Sluice, 1 GiB down', false, GIB],
    ['Sluice, 4 GiB down', false, 4 * GIB],
    ['Sluice, 1 GiB up', true, GIB],
    ['Sluice, 4 GiB up', true, 4 * GIB],
  ] as const) {
    const values: number[] = [];
    for (let round = 0; round < Math.min(3, rounds); round++) values.push(await grown(origins, up, octets));
    rows.push({ subject, values });
  }
  // The same for both: growth does not follow the size.
  const more = rows.flatMap((row, i) => {
    const before = rows[i - 1];
    if (i % 2 === 0 || before === undefined) return [];
    const values = row.values.map((value, round) => value - (before.values[round] ?? Number.NaN));
    return [{ subject: `${row.subject}, less that of 1 GiB`, values, unit: 'MiB' }];
  });
  const kept = { subject: 'Sluice', values: [await retained(origins)] };
  return [
    {
      id: 'memory',
      title: 'Growth of RSS while streaming, after 64 MiB',
      unit: 'MiB',
      better: 'lower',
      rows,
      derived: more,
      targets: [
        ...rows.map(({ subject }) => ({ what: `RSS growth, ${subject}`, subject, atMost: 32 })),
        ...more.map(({ subject }) => ({ what: `RSS growth, ${subject}`, subject, atMost: 8 })),
      ],
    },
    {
      id: 'retained',
      title: 'Heap kept of a streamed flow',
      unit: 'KiB',
      better: 'lower',
      rows: [kept],
      targets: [{ what: 'retained per streamed flow', subject: 'Sluice', atMost: 4 }],
    },
  ];
}
