/** What a test pays before its first request: the proxy's start and end, and the first connection to a new host. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { startProxy } from '../../dist/esm/src/index.js';
import { rounds } from '../harness.js';
import { NAME, type Origins } from '../origins/origins.js';
import type { Scenario } from '../results.js';

const TIMES = 40;

/** Milliseconds from connecting until the answer's first octets. @param proxy the port of a proxy */
async function firstRequest(port: number, host: string, proxy?: number): Promise<number> {
  const started = performance.now();
  const raw = net.connect({ port: proxy ?? port, host: '127.0.0.1', noDelay: true });
  await once(raw, 'connect');
  if (proxy !== undefined) {
    raw.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
    await once(raw, 'data');
  }
  const socket = tls.connect({
    socket: raw,
    servername: host,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  await once(socket, 'secureConnect');
  socket.write(`GET /1k HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  await once(socket, 'data');
  const took = performance.now() - started;
  socket.destroy();
  return took;
}

export async function startScenarios({ tls: port }: Origins): Promise<Scenario[]> {
  const starts: number[] = [];
  const closes: number[] = [];
  for (let i = -10; i < TIMES; i++) {
    const t0 = performance.now();
    const proxy = await startProxy();
    const t1 = performance.now();
    await proxy.close();
    if (i < 0) continue;
    starts.push(t1 - t0);
    closes.push(performance.now() - t1);
  }
  const without: number[] = [];
  const through: number[] = [];
  const proxy = await startProxy({ verifyUpstream: false, hosts: { '*': '127.0.0.1' } });
  for (let i = -10; i < TIMES * rounds; i++) {
    const straight = await firstRequest(port, NAME);
    const proxied = await firstRequest(port, `host-${i}.test`, proxy.port);
    if (i < 0) continue;
    without.push(straight);
    through.push(proxied);
  }
  await proxy.close();
  const added = {
    subject: 'added',
    unit: 'ms',
    values: through.map((value, i) => value - (without[i] ?? Number.NaN)),
  };
  return [
    {
      id: 'start',
      title: 'Start and close of a proxy',
      unit: 'ms',
      better: 'lower',
      rows: [
        { subject: 'Sluice, startProxy', values: starts },
        { subject: 'Sluice, close', values: closes },
      ],
      targets: [
        { what: 'startProxy', subject: 'Sluice, startProxy', atMost: 3 },
        { what: 'close', subject: 'Sluice, close', atMost: 3 },
      ],
    },
    {
      id: 'first-https',
      title: 'First HTTPS request to a new host',
      unit: 'ms',
      better: 'lower',
      rows: [
        { subject: 'no proxy', values: without },
        { subject: 'Sluice', values: through },
      ],
      derived: [added],
      targets: [{ what: 'first HTTPS to a new host, added', subject: 'added', atMost: 8 }],
    },
  ];
}
