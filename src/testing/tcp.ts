/**
 * Connections that are recorded as TCP flows.
 * @module
 */
import type tls from 'node:tls';
import type { TcpFlow, TcpMessage } from '../flow/tcp-types.js';
import { openTunnel, TlsOrigin } from '../listen/testing/tunnels.js';
import type { ProxyOptions } from '../options/types.js';
import type { RawPeer } from './raw-peer.js';
import { type Stage, withProxy } from './with-proxy.js';

/** Where a stage's origin is. */
export const PLAIN: ProxyOptions = { tcpHosts: ['^127[.]0[.]0[.]1:'] };

/** Who said what. */
export const said = (messages: readonly TcpMessage[]) =>
  messages.map((message) => `${message.from}: ${message.text()}`);

/** Both ends of a recorded connection without TLS. */
export async function openPlain(stage: Stage): Promise<{ peer: RawPeer; upstream: RawPeer; flow: TcpFlow }> {
  const peer = await openTunnel(stage, stage.origin.host, '\x00');
  const upstream = await stage.origin.accept();
  await upstream.read(1);
  const flow = stage.proxy.tcpFlows.last;
  if (flow === undefined) throw new Error('no TCP flow');
  return { peer, upstream, flow };
}

/** Names of the hooks as they run. */
export function hooksOf({ proxy }: Stage): string[] {
  const hooks: string[] = [];
  proxy.on('tcpStart', () => void hooks.push('tcpStart'));
  proxy.on('tcpEnd', (flow) => void hooks.push(`tcpEnd ${flow.error?.code}`));
  return hooks;
}

/** Runs `play` with an origin that speaks TLS as `db.test`. */
export async function withTlsOrigin(
  options: ProxyOptions,
  server: tls.TlsOptions,
  play: (stage: Stage, origin: TlsOrigin) => Promise<void>,
): Promise<void> {
  const origin = await TlsOrigin.listen('db.test', server);
  const base = { tcpHosts: ['^db[.]test:'], hosts: { 'db.test': origin.host }, upstreamCa: origin.ca };
  try {
    await withProxy({ ...base, ...options }, (stage) => play(stage, origin));
  } finally {
    origin.close();
  }
}
