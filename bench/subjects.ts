/** What is measured beside each other. */
import path from 'node:path';
import { end, freePort, type Listening, program, script } from './harness.js';
import { lacks, packageVersion, versionOf } from './machine.js';
import type { Origins } from './origins/origins.js';

/** Something between client and origin, or nothing. */
export interface Subject {
  name: string;
  /**
   * How it is spoken to: a `proxy` is told where to go; a `relay` goes where it goes, and is taken for the origin; of
   * `nothing` the origin is what answers.
   */
  kind: 'nothing' | 'relay' | 'proxy';
  port: number;
  /** The process, where it is one of ours. */
  peer?: Listening;
  stop(): void;
}

/** Subjects, and why others are missing. */
export interface Cast {
  subjects: Subject[];
  skipped: string[];
}

export const RELAY = 'raw relay';
export const TLS_RELAY = 'raw TLS relay';

const started = (name: string, kind: Subject['kind'], peer: Listening): Subject => ({
  name,
  kind,
  port: peer.port,
  peer,
  stop: () => end(peer),
});

export const direct = (port: number): Subject => ({
  name: 'no proxy',
  kind: 'nothing',
  port,
  stop: () => undefined,
});

export const relay = async (port: number) =>
  started(RELAY, 'relay', await script('./peers/peer.ts', 'relay', String(port)));

export const tlsRelay = async (port: number, { folder }: Origins) =>
  started(TLS_RELAY, 'relay', await script('./peers/peer.ts', 'tls-relay', String(port), folder));

export const nodeHttp = async () =>
  started('node:http pipe', 'proxy', await script('./peers/peer.ts', 'node-http'));

/** What becomes of bodies; see peers/peer.ts. */
export type Rule = 'none' | 'stream' | 'transform' | 'transform-request';

export async function sluice(name: string, options: object, rule: Rule): Promise<Subject> {
  const all = JSON.stringify({ verifyUpstream: false, ...options });
  return started(name, 'proxy', await script('./peers/peer.ts', 'sluice', all, rule));
}

/** The proxies that people would take instead, as far as they are here. @param streams whether mitmproxy is told to stream */
export async function others(origins: Origins, streams: boolean): Promise<Cast> {
  const subjects: Subject[] = [];
  const skipped: string[] = [];
  for (const name of ['mockttp', 'http-mitm-proxy']) {
    const version = packageVersion(name);
    if (version === undefined) skipped.push(`${name}: not installed; npm install --prefix bench`);
    else {
      const folder = path.join(origins.folder, name);
      subjects.push(started(`${name} ${version}`, 'proxy', await script(`./peers/${name}.mjs`, folder)));
    }
  }
  const version = versionOf('mitmdump');
  if (version === undefined) skipped.push(`mitmproxy: ${lacks('mitmdump')}`);
  else {
    const port = await freePort();
    const settings = {
      confdir: path.join(origins.folder, 'mitmproxy'),
      ...(streams && { stream_large_bodies: '1' }),
    };
    const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const args = ['-q', '--listen-host', '127.0.0.1', '-p', String(port), '--ssl-insecure', ...set];
    subjects.push(started(`mitmproxy ${version}`, 'proxy', await program('mitmdump', args, port)));
  }
  return { subjects, skipped };
}

/** Runs with subjects and ends them. */
export async function withCast<T>(cast: Cast, play: (cast: Cast) => Promise<T>): Promise<T> {
  try {
    return await play(cast);
  } finally {
    for (const subject of cast.subjects) subject.stop();
  }
}
