/** Many small requests, recorded: in clear text and over TLS, and with more connections. */
import { ask, turns } from '../harness.js';
import { wrk } from '../load/programs.js';
import { requests } from '../load/sockets.js';
import { versionOf } from '../machine.js';
import type { Origins } from '../origins/origins.js';
import type { Scenario, Target } from '../results.js';
import {
  type Cast,
  direct,
  nodeHttp,
  others,
  RELAY,
  relay,
  type Subject,
  sluice,
  TLS_RELAY,
  tlsRelay,
  withCast,
} from '../subjects.js';

const CONNECTIONS = 32;
const SECONDS = 2;
const RECORDED = 'Sluice';

/** Requests per second. What was recorded is let go: a test's flows are, with its proxy. */
async function rate(
  subject: Subject,
  origins: Origins,
  secure: boolean,
  path: string,
  connections: number,
): Promise<number> {
  const destination = { port: secure ? origins.tls : origins.plain, secure, path };
  // wrk knows of no tunnels.
  const value =
    secure || versionOf('wrk') === undefined
      ? await requests(subject, destination, connections, SECONDS)
      : await wrk(subject, destination, { connections, seconds: SECONDS, folder: origins.folder });
  if (subject.peer?.child.connected) {
    await ask(subject.peer, 'clear');
    await ask(subject.peer, 'gc');
  }
  return value;
}

async function cast(origins: Origins, secure: boolean): Promise<Cast> {
  const { subjects, skipped } = await others(origins, false);
  const beside = secure
    ? [direct(origins.tls), await tlsRelay(origins.tls, origins)]
    : [direct(origins.plain), await relay(origins.plain), await nodeHttp()];
  return { subjects: [...beside, await sluice(RECORDED, {}, 'none'), ...subjects], skipped };
}

export async function requestScenarios(origins: Origins, secure: boolean): Promise<Scenario[]> {
  const targets: Target[] = secure
    ? [{ what: 'recorded 1 KiB, TLS / raw TLS relay', subject: RECORDED, to: TLS_RELAY, atLeast: 0.75 }]
    : [
        { what: 'recorded 1 KiB / raw relay', subject: RECORDED, to: RELAY, atLeast: 0.75 },
        { what: 'recorded 1 KiB / mockttp', subject: RECORDED, to: 'mockttp', atLeast: 6 },
        { what: 'recorded 1 KiB / node:http pipe', subject: RECORDED, to: 'node:http pipe', atLeast: 1 },
      ];
  return withCast(await cast(origins, secure), async ({ subjects, skipped }) => {
    const measured = async (path: string, size: string, wanted: Target[]): Promise<Scenario> => {
      const values = await turns(
        subjects.map((subject) => () => rate(subject, origins, secure, path, CONNECTIONS)),
      );
      return {
        id: `requests-${path.slice(1)}${secure ? '-tls' : ''}`,
        title: `Recorded requests of ${size}${secure ? ' over TLS' : ''}, ${CONNECTIONS} connections`,
        unit: 'requests/s',
        better: 'higher',
        rows: subjects.map(({ name }, i) => ({ subject: name, values: values[i] ?? [] })),
        targets: wanted,
        skipped,
      };
    };
    return [await measured('/1k', '1 KiB', targets), await measured('/64k', '64 KiB', [])];
  });
}

/** The rate as connections grow in number. */
export async function scaleScenario(origins: Origins): Promise<Scenario> {
  const subjects = [await relay(origins.plain), await sluice(RECORDED, {}, 'none')];
  return withCast({ subjects, skipped: [] }, async () => {
    const counts = [10, CONNECTIONS, 100, 1000];
    const points = counts.flatMap((connections) => subjects.map((subject) => ({ subject, connections })));
    const values = await turns(
      points.map(
        ({ subject, connections }) =>
          () =>
            rate(subject, origins, false, '/1k', connections),
      ),
    );
    const rows = points.map(({ subject, connections }, i) => ({
      subject: `${subject.name}, ${connections} connections`,
      values: values[i] ?? [],
    }));
    const ratios = counts.map((connections) => {
      const of = (name: string) =>
        rows.find(({ subject }) => subject === `${name}, ${connections} connections`)?.values ?? [];
      const relays = of(RELAY);
      return {
        subject: `ratio at ${connections}`,
        values: of(RECORDED).map((value, i) => value / (relays[i] ?? Number.NaN)),
      };
    });
    // The last row is what is asked for: the ratio at 1 000 connections over that at 32.
    const at = (connections: number) =>
      ratios.find(({ subject }) => subject === `ratio at ${connections}`)?.values ?? [];
    const kept = {
      subject: 'ratio at 1000 / ratio at 32',
      values: at(1000).map((value, i) => value / (at(CONNECTIONS)[i] ?? Number.NaN)),
    };
    return {
      id: 'scale',
      title: 'Recorded requests of 1 KiB, 10 to 1 000 connections',
      unit: 'requests/s',
      better: 'higher',
      rows,
      derived: [...ratios, kept],
      targets: [{ what: 'ratio to the relay, 1 000 connections / 32', subject: kept.subject, atLeast: 0.9 }],
    };
  });
}
