/**
 * HTTP/2 through the proxy, with h2load (Debian's nghttp2-client): many small recorded responses over TLS beside the
 * proxy's own HTTP/1.1, and a large streamed one beside a proxy of node:http2 that only pipes. h2load knows of no
 * proxies: with TLS it goes through a forwarder that CONNECTs, the same for both versions; without TLS the proxy takes
 * HTTP/2 from the first octet.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ask, end, GIB, growth, type Listening, MIB, script, turns } from '../harness.js';
import { lacks, versionOf } from '../machine.js';
import type { Row, Scenario } from '../results.js';

const run = promisify(execFile);
const REQUESTS = 10_000;
const NAME = 'bench.test';

/** Gives the seconds that it took. @throws unless all requests succeeded */
async function h2load(requests: number, port: number, url: string, ...args: string[]): Promise<number> {
  const all = ['-n', String(requests), `--connect-to=127.0.0.1:${port}`, ...args, url];
  const { stdout } = await run('h2load', all);
  const [, time = '', unit = ''] = /finished in ([\d.]+)(s|ms),/.exec(stdout) ?? [];
  if (!stdout.includes(` ${requests} succeeded, 0 failed, 0 errored`) || unit === '') {
    throw new Error(`h2load ${all.join(' ')}:\n${stdout}`);
  }
  return Number(time) / (unit === 's' ? 1 : 1000);
}

const sluice = (options: object, rule: string) =>
  script('./peers/peer.ts', 'sluice', JSON.stringify({ verifyUpstream: false, ...options }), rule);

/** Requests per second. @throws unless each was recorded */
async function rate(peer: Listening, port: number, args: string[]): Promise<number> {
  const before = await ask(peer, 'state');
  const seconds = await h2load(REQUESTS, port, `https://${NAME}/small`, ...args);
  const after = await ask(peer, 'state');
  if (after.flows - before.flows !== REQUESTS) throw new Error(`recorded ${after.flows - before.flows}`);
  await ask(peer, 'clear');
  await ask(peer, 'gc');
  return REQUESTS / seconds;
}

const rowsOf = (subjects: readonly string[], values: number[][]): Row[] =>
  subjects.map((subject, i) => ({ subject, values: values[i] ?? [] }));

async function small(): Promise<Scenario[]> {
  const origin = await script('./peers/http2.ts', 'origin');
  const peer = await sluice({ hosts: { [NAME]: `127.0.0.1:${origin.port}` } }, 'none');
  const forwarder = await script('./peers/http2.ts', 'forward', String(peer.port), `${NAME}:443`);
  const [old, recent] = ['Sluice, HTTP/1.1, 32 connections', 'Sluice, HTTP/2, 1 connection, 32 streams'];
  const values = await turns([
    () => rate(peer, forwarder.port, ['--h1', '-c', '32']),
    () => rate(peer, forwarder.port, ['-c', '1', '-m', '32']),
  ]);
  const many = await h2load(1000, forwarder.port, `https://${NAME}/small`, '-c', '1', '-m', '1000');
  for (const each of [origin, peer, forwarder]) end(each);
  const what = 'recorded 1 KiB over TLS, HTTP/2 with 1 x 32 streams / HTTP/1.1 with 32 connections';
  return [
    {
      id: 'http2-requests',
      title: 'Recorded requests of 1 KiB over TLS by HTTP/2',
      unit: 'requests/s',
      better: 'higher',
      rows: rowsOf([old, recent], values),
      targets: [{ what, subject: recent, to: old, atLeast: 0.67 }],
    },
    {
      id: 'http2-streams',
      title: '1 000 streams at once on one connection',
      unit: 'ms',
      better: 'lower',
      rows: [{ subject: 'Sluice', values: [many * 1000] }],
      targets: [],
    },
  ];
}

async function large(): Promise<Scenario[]> {
  const origin = await script('./peers/http2.ts', 'plain-origin');
  const pipe = await script('./peers/http2.ts', 'pipe', String(origin.port));
  const hosts = { [NAME]: `127.0.0.1:${origin.port}` };
  const bare = await sluice({ hosts, digest: false }, 'stream');
  const digest = await sluice({ hosts }, 'stream');
  const download = ({ port }: Listening, octets: number) =>
    h2load(1, port, `http://${NAME}/down/${octets}`, '-w', '30', '-W', '30');
  const speed = (seconds: number) => GIB / seconds / 1e9;
  const values = await turns(
    [pipe, bare, digest].map((peer) => async () => speed(await download(peer, GIB))),
  );
  for (const each of [pipe, bare, digest]) end(each);
  const peer = await sluice({ hosts }, 'stream');
  await download(peer, 64 * MIB);
  const grown = await growth(peer, () => download(peer, GIB));
  for (const each of [origin, peer]) end(each);
  const [beside, without, streamed] = ['pipe of node:http2', 'Sluice, digest: false', 'Sluice, streamed'];
  return [
    {
      id: 'http2-download',
      title: 'Streamed HTTP/2 download of 1 GiB, without TLS',
      unit: 'GB/s',
      better: 'higher',
      rows: rowsOf([beside, without, streamed], values),
      targets: [
        {
          what: 'streamed HTTP/2 download, digest: false / pipe',
          subject: without,
          to: beside,
          atLeast: 0.8,
        },
        // SHA-256 takes as long again as all the pipe does.
        { what: 'streamed HTTP/2 download, digest / pipe', subject: streamed, to: beside, atLeast: 0.8 },
      ],
    },
    {
      id: 'http2-memory',
      title: 'Growth of RSS, HTTP/2 download of 1 GiB after 64 MiB',
      unit: 'MiB',
      better: 'lower',
      rows: [{ subject: 'Sluice', values: [grown] }],
      targets: [{ what: 'RSS growth, 1 GiB HTTP/2 download', subject: 'Sluice', atMost: 32 }],
    },
  ];
}

export async function http2Scenarios(): Promise<Scenario[]> {
  if (versionOf('h2load') === undefined) {
    const skipped = [lacks('h2load')];
    return [
      { id: 'http2', title: 'HTTP/2', unit: 'requests/s', better: 'higher', rows: [], targets: [], skipped },
    ];
  }
  return [...(await small()), ...(await large())];
}
