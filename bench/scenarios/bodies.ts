/** One large body at a time: down and up, in clear text and over TLS, and in chunks. */
import { GIB, turns } from '../harness.js';
import { curlDown, curlUp } from '../load/programs.js';
import { download, upload } from '../load/sockets.js';
import { lacks, versionOf } from '../machine.js';
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

const BARE = 'Sluice, digest: false';
const DIGEST = 'Sluice, streamed';
const TRANSFORM = 'Sluice, identity, digest: false';

/** Everybody, in front of an origin. */
async function cast(
  origins: Origins,
  port: number,
  secure: boolean,
  side: 'request' | 'response',
): Promise<Cast> {
  const { subjects, skipped } = await others(origins, true);
  const beside = secure ? [await tlsRelay(port, origins)] : [await relay(port), await nodeHttp()];
  const ours = [
    await sluice(BARE, { digest: false }, 'stream'),
    await sluice(DIGEST, {}, 'stream'),
    await sluice(TRANSFORM, { digest: false }, side === 'request' ? 'transform-request' : 'transform'),
  ];
  return { subjects: [direct(port), ...beside, ...ours, ...subjects], skipped };
}

const gigabytes = (seconds: number) => GIB / seconds / 1e9;

interface Plan {
  id: string;
  title: string;
  port: number;
  secure: boolean;
  side: 'request' | 'response';
  targets: Target[];
  /** Gives seconds. */
  move(subject: Subject): Promise<number>;
}

async function measured(
  origins: Origins,
  { id, title, port, secure, side, targets, move }: Plan,
): Promise<Scenario> {
  return withCast(await cast(origins, port, secure, side), async ({ subjects, skipped }) => {
    const values = await turns(subjects.map((subject) => async () => gigabytes(await move(subject))));
    const rows = subjects.map(({ name }, i) => ({ subject: name, values: values[i] ?? [] }));
    return { id, title, unit: 'GB/s', better: 'higher', rows, targets, skipped };
  });
}

export async function downloadScenario(origins: Origins, secure: boolean): Promise<Scenario> {
  const port = secure ? origins.tls : origins.plain;
  const destination = { port, secure, path: `/down/${GIB}` };
  const hasCurl = versionOf('curl') !== undefined;
  if (secure && !hasCurl) return left('download-tls', 'Streamed download of 1 GiB over TLS');
  const [beside, bare, digest] = secure ? [TLS_RELAY, 1, 0.7] : [RELAY, 1.5, 0.85];
  const targets: Target[] = [
    {
      what: `streamed download${secure ? ', TLS' : ''}, digest: false / ${beside}`,
      subject: BARE,
      to: beside,
      atLeast: bare,
    },
    {
      what: `streamed download${secure ? ', TLS' : ''}, digest / ${beside}`,
      subject: DIGEST,
      to: beside,
      atLeast: digest,
    },
  ];
  if (!secure)
    targets.push({ what: 'identity transform / raw relay', subject: TRANSFORM, to: RELAY, atLeast: 0.7 });
  return measured(origins, {
    id: secure ? 'download-tls' : 'download',
    title: `Streamed download of 1 GiB${secure ? ' over TLS' : ''}`,
    port,
    secure,
    side: 'response',
    targets,
    move: (subject) => (hasCurl ? curlDown(subject, destination, GIB) : download(subject, destination, GIB)),
  });
}

export async function chunkedScenario(origins: Origins): Promise<Scenario> {
  const destination = { port: origins.own, secure: false, path: `/chunked/${GIB}` };
  if (versionOf('curl') === undefined)
    return left('chunked', 'Streamed download of 1 GiB in chunks of 16 KiB');
  return measured(origins, {
    id: 'chunked',
    title: 'Streamed download of 1 GiB in chunks of 16 KiB',
    port: destination.port,
    secure: false,
    side: 'response',
    targets: [],
    move: (subject) => curlDown(subject, destination, GIB),
  });
}

export async function uploadScenario(origins: Origins, secure: boolean): Promise<Scenario> {
  // nginx has nothing that reads a body to its end and drops it.
  const port = secure ? origins.ownTls : origins.own;
  const destination = { port, secure, path: '/up' };
  const hasCurl = versionOf('curl') !== undefined;
  if (secure && !hasCurl) return left('upload-tls', 'Streamed upload of 1 GiB over TLS');
  const targets: Target[] = secure
    ? []
    : [
        { what: 'streamed upload, digest: false / raw relay', subject: BARE, to: RELAY, atLeast: 0.95 },
        { what: 'streamed upload, digest / raw relay', subject: DIGEST, to: RELAY, atLeast: 0.45 },
      ];
  return measured(origins, {
    id: secure ? 'upload-tls' : 'upload',
    title: `Streamed upload of 1 GiB${secure ? ' over TLS' : ''}`,
    port,
    secure,
    side: 'request',
    targets,
    move: (subject) =>
      hasCurl ? curlUp(subject, destination, origins.file, GIB) : upload(subject, destination, GIB),
  });
}

function left(id: string, title: string): Scenario {
  return { id, title, unit: 'GB/s', better: 'higher', rows: [], targets: [], skipped: [lacks('curl')] };
}
