/**
 * `npm run bench`: the proxy beside a relay that pipes sockets, in one run. Peers take turns; ratios of medians are what
 * to read, absolute figures depend on the machine. Arguments choose scenarios by name: `npm run bench -- download`.
 */
import { startProxy } from 'sluice';
import {
  ask,
  finish,
  GIB,
  growth,
  MIB,
  median,
  ratio,
  report,
  spawnSluice as sluice,
  spawn,
  turns,
} from './harness.js';
import { http2Scenario } from './http2.js';
import { download, requests, upload } from './load.js';
import { websocketScenario } from './websocket.js';

const chosen = process.argv.slice(2);

const origin = await spawn('./origin.ts');
const relay = await spawn('./peer.ts', 'relay', String(origin.port));
const url = `http://127.0.0.1:${origin.port}`;
const wanted = (name: string) => chosen.length === 0 || chosen.includes(name);

const rate = (seconds: number) => `${(GIB / seconds / 1e9).toFixed(2)} GB/s`;

if (wanted('download')) {
  const bare = await sluice({ digest: false }, 'stream');
  const digest = await sluice({}, 'stream');
  const transform = await sluice({ digest: false }, 'transform');
  const [r = 0, b = 0, d = 0, t = 0] = await turns([
    () => download(relay.port, `/down/${GIB}`, GIB),
    () => download(bare.port, `${url}/down/${GIB}`, GIB),
    () => download(digest.port, `${url}/down/${GIB}`, GIB),
    () => download(transform.port, `${url}/down/${GIB}`, GIB),
  ]);
  console.log(`     relay ${rate(r)}, streamed ${rate(b)}, with digest ${rate(d)}, transformed ${rate(t)}`);
  report('streamed download 1 GiB, digest: false / relay', ratio(r / b), '>= 1.0', r / b >= 1);
  report('streamed download 1 GiB, digest / relay', ratio(r / d), '>= 0.8', r / d >= 0.8);
  report('identity transform, digest: false / relay', ratio(r / t), '>= 0.7', r / t >= 0.7);
  for (const peer of [bare, digest, transform]) peer.child.disconnect();
}

if (wanted('upload')) {
  const bare = await sluice({ digest: false }, 'stream');
  const digest = await sluice({}, 'stream');
  const [r = 0, b = 0, d = 0] = await turns([
    () => upload(relay.port, '/up', GIB),
    () => upload(bare.port, `${url}/up`, GIB),
    () => upload(digest.port, `${url}/up`, GIB),
  ]);
  console.log(`     relay ${rate(r)}, streamed ${rate(b)}, with digest ${rate(d)}`);
  report('streamed upload 1 GiB, digest: false / relay', ratio(r / b), '>= 0.95', r / b >= 0.95);
  report('streamed upload 1 GiB, digest / relay', ratio(r / d), '>= 0.45', r / d >= 0.45);
  for (const peer of [bare, digest]) peer.child.disconnect();
}

if (wanted('requests')) {
  const recorded = await sluice({}, 'none');
  const [r = 0, s = 0] = await turns([
    () => requests(relay.port, '/small', 32, 2),
    async () => {
      const value = await requests(recorded.port, `${url}/small`, 32, 2);
      // A test's flows are let go with its proxy; without this the heap of minutes of load would be measured.
      await ask(recorded, 'clear');
      return value;
    },
  ]);
  console.log(`     relay ${Math.round(r)}/s, recorded ${Math.round(s)}/s`);
  report('recorded 1 KiB requests, 32 connections / relay', ratio(s / r), '>= 0.6', s / r >= 0.6);
  recorded.child.disconnect();
}

if (wanted('memory')) {
  for (const [name, transfer] of [
    ['download', (port: number, octets: number) => download(port, `${url}/down/${octets}`, octets)],
    ['upload', (port: number, octets: number) => upload(port, `${url}/up`, octets)],
  ] as const) {
    const peer = await sluice({}, 'stream');
    await transfer(peer.port, 64 * MIB);
    const grown = await growth(peer, () => transfer(peer.port, GIB));
    report(`RSS growth, 1 GiB ${name} after 64 MiB`, `${grown.toFixed(1)} MiB`, '< 32 MiB', grown < 32);
    peer.child.disconnect();
  }
  const peer = await sluice({}, 'stream');
  const many = async (count: number) => {
    for (let i = 0; i < count; i++) await download(peer.port, `${url}/down/20000`, 20_000);
  };
  await many(500);
  await ask(peer, 'gc');
  const before = await ask(peer, 'gc');
  await many(3000);
  await ask(peer, 'gc');
  const after = await ask(peer, 'gc');
  const each = (after.heapUsed + after.external - before.heapUsed - before.external) / 3000;
  report('retained per streamed flow', `${(each / 1024).toFixed(2)} KiB`, '<= 8 KiB', each <= 8192);
  peer.child.disconnect();
}

if (wanted('websocket')) await websocketScenario();

if (wanted('http2')) await http2Scenario();

if (wanted('start')) {
  const starts: number[] = [];
  const closes: number[] = [];
  for (let i = 0; i < 60; i++) {
    const t0 = performance.now();
    const proxy = await startProxy();
    const t1 = performance.now();
    await proxy.close();
    const t2 = performance.now();
    if (i < 10) continue;
    starts.push(t1 - t0);
    closes.push(t2 - t1);
  }
  const [start, close] = [median(starts), median(closes)];
  report('startProxy, warm', `${start.toFixed(2)} ms`, '<= 5 ms', start <= 5);
  report('close, warm', `${close.toFixed(2)} ms`, '<= 5 ms', close <= 5);
}

finish();
