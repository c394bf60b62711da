/**
 * HTTP/2 through the proxy, with h2load (Debian's nghttp2-client): many small recorded responses over TLS beside the
 * proxy's own HTTP/1.1, and a large streamed one beside a proxy of node:http2 that only pipes. h2load knows of no
 * proxies: with TLS it goes through a forwarder that CONNECTs, the same for both versions; without TLS the proxy takes
 * HTTP/2 from the first octet.
 */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
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

/** Requests per second; a peer's CPU time for each is noted in `cpu`, in microseconds. */
async function rate(peer: Peer, cpu: number[], port: number, args: string[]): Promise<number> {
  const before = await ask(peer, 'state');
  const seconds = await h2load(REQUESTS, port, `https://${NAME}/small`, ...args);
  const after = await ask(peer, 'state');
  if (after.flows - before.flows !== REQUESTS) throw new Error(`recorded ${after.flows - before.flows}`);
  cpu.push((after.cpu - before.cpu) / REQUESTS);
  await ask(peer, 'clear');
  await ask(peer, 'gc');
  return REQUESTS / seconds;
}

async function small(): Promise<void> {
  const origin = await spawn('./http2-peer.ts', 'origin');
  const options = { verifyUpstream: false, hosts: { [NAME]: `127.0.0.1:${origin.port}` } };
  const peer = await spawnSluice(options, 'none');
  const forwarder = await spawn('./http2-peer.ts', 'forward', String(peer.port), `${NAME}:443`);
  const [oldCpu, newCpu]: [number[], number[]] = [[], []];
  const [h1 = 0, h2 = 0] = await turns([
    () => rate(peer, oldCpu, forwarder.port, ['--h1', '-c', '32']),
    () => rate(peer, newCpu, forwarder.port, ['-c', '1', '-m', '32']),
  ]);
  const told = (value: number, cpu: number[]) => `${Math.round(value)}/s (CPU ${median(cpu).toFixed(0)} us)`;
  console.log(`     HTTP/1.1 ${told(h1, oldCpu)}, HTTP/2 ${told(h2, newCpu)}`);
  const what = 'recorded 1 KiB over TLS, HTTP/2 with 1 x 32 streams / HTTP/1.1 with 32 connections';
  report(what, ratio(h2 / h1), '>= 0.67', h2 / h1 >= 1 / 1.5);

  const many = await h2load(1000, forwarder.port, `https://${NAME}/small`, '-c', '1', '-m', '1000');
  report('1 000 streams at once on one connection', `${(many * 1000).toFixed(0)} ms`, 'complete', true);
  for (const { child } of [origin, peer, forwarder]) child.disconnect();
}

async function large(): Promise<void> {
  const origin = await spawn('./http2-peer.ts', 'plain-origin');
  const pipe = await spawn('./http2-peer.ts', 'pipe', String(origin.port));
  const hosts = { [NAME]: `127.0.0.1:${origin.port}` };
  const bare = await spawnSluice({ hosts, digest: false }, 'stream');
  const digest = await spawnSluice({ hosts }, 'stream');
  const download = ({ port }: Peer, octets: number) =>
    h2load(1, port, `http://${NAME}/down/${octets}`, '-w', '30', '-W', '30');
  const [p = 0, b = 0, d = 0] = await turns([pipe, bare, digest].map((peer) => () => download(peer, GIB)));
  const speed = (seconds: number) => `${(GIB / seconds / 1e9).toFixed(2)} GB/s`;
  console.log(`     pipe of node:http2 ${speed(p)}, streamed ${speed(b)}, with digest ${speed(d)}`);
  report('streamed HTTP/2 download 1 GiB, digest: false / pipe', ratio(p / b), '>= 0.8', p / b >= 0.8);
  // SHA-256 takes as long again as all the pipe does.
  report('streamed HTTP/2 download 1 GiB, digest / pipe', ratio(p / d), '>= 0.8', p / d >= 0.8);
  for (const { child } of [pipe, bare, digest]) child.disconnect();

  const peer = await spawnSluice({ hosts }, 'stream');
  await download(peer, 64 * MIB);
  const grown = await growth(peer, () => download(peer, GIB));
  report('RSS growth, 1 GiB HTTP/2 download after 64 MiB', `${grown.toFixed(1)} MiB`, '< 32 MiB', grown < 32);
  for (const { child } of [origin, peer]) child.disconnect();
}

export async function http2Scenario(): Promise<void> {
  if (spawnSync('h2load', ['--version']).error !== undefined) {
    console.log("     HTTP/2 is not measured: no h2load here (Debian's nghttp2-client has it)");
    return;
  }
  await small();
  await large();
}
