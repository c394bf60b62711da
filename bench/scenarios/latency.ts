/** What a proxy adds to a request when there is nothing else to do. */
import { rounds } from '../harness.js';
import { latencies } from '../load/sockets.js';
import type { Origins } from '../origins/origins.js';
import type { Scenario } from '../results.js';
import { direct, nodeHttp, others, RELAY, relay, sluice, withCast } from '../subjects.js';

const COUNT = 300;
/** Milliseconds before each request, so that none waits for what another has left to do. */
const PAUSE = 3;

export async function latencyScenario(origins: Origins): Promise<Scenario> {
  const { subjects: peers, skipped } = await others(origins, false);
  const subjects = [
    direct(origins.plain),
    await relay(origins.plain),
    await nodeHttp(),
    await sluice('Sluice', {}, 'none'),
    ...peers,
  ];
  return withCast({ subjects, skipped }, async () => {
    const destination = { port: origins.plain, secure: false, path: '/1k' };
    const medians = subjects.map((): number[] => []);
    const slowest = subjects.map((): number[] => []);
    for (let round = -1; round < rounds; round++) {
      for (const [i, subject] of subjects.entries()) {
        const times = (await latencies(subject, destination, COUNT, PAUSE)).sort((a, b) => a - b);
        if (round < 0) continue;
        medians[i]?.push(times[Math.floor(COUNT / 2)] ?? Number.NaN);
        slowest[i]?.push(times[Math.floor(COUNT * 0.99)] ?? Number.NaN);
      }
    }
    const named = (values: number[][], what: string) =>
      subjects.map(({ name }, i) => ({ subject: `${name}${what}`, values: values[i] ?? [] }));
    const at = (name: string) => medians[subjects.findIndex((subject) => subject.name === name)] ?? [];
    const added = {
      subject: 'Sluice over the raw relay',
      unit: 'ms',
      values: at('Sluice').map((value, i) => value - (at(RELAY)[i] ?? Number.NaN)),
    };
    return {
      id: 'latency',
      title: `Time of a request of 1 KiB, one every ${PAUSE} ms`,
      unit: 'ms',
      better: 'lower',
      rows: named(medians, ''),
      derived: [...named(slowest, ', p99'), added],
      targets: [{ what: 'added latency, p50, over the raw relay', subject: added.subject, atMost: 0.3 }],
      skipped,
    };
  });
}
