/**
 * Event streams for tests: what a server sends, and what a flow has of it.
 * @module
 */
import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, createGzip } from 'node:zlib';
import type { AnsweredFlow } from '../flow/types.js';
import type { RawPeer } from './raw-peer.js';
import type { Stage } from './with-proxy.js';

export interface Opened {
  client: RawPeer;
  upstream: RawPeer;
  flow: AnsweredFlow;
}

/** An event stream that has begun: its head is at the client, whose response has so many octets of a body. */
export async function openStream(stage: Stage, fields = 'Transfer-Encoding: chunked'): Promise<Opened> {
  const answered = stage.proxy.waitForResponse('**/events', {
    ...(stage.proxy.flows.last && { after: stage.proxy.flows.last }),
  });
  const { client, upstream } = await stage.exchange('GET http://{origin}/events HTTP/1.1\r\nHost: {origin}');
  await upstream.send(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${fields}\r\n\r\n`);
  const flow = await answered;
  // A recorded one keeps its head to the end.
  if (flow.response.stream !== false) await client.head();
  return { client, upstream, flow };
}

/** The data of the events that are recorded. */
export function dataOf({ response }: AnsweredFlow): string[] {
  return (response.events ?? []).map(({ data }) => data);
}

/** The octets of each text as a server sends them that flushes after each. */
export async function gzipped(texts: readonly string[]): Promise<Buffer[]> {
  const gzip = createGzip();
  const parts: Buffer[] = [];
  for (const text of texts) {
    gzip.write(text);
    await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
    parts.push(gzip.read() as Buffer);
  }
  return parts;
}

/** Keeps Node's thread pool from decoding anything for a while: octets that do not wait for it get far ahead. */
export function occupyThreadPool(): Promise<unknown> {
  const jobs = Array.from({ length: 12 }, () => promisify(pbkdf2)('password', 'salt', 20_000, 64, 'sha512'));
  return Promise.all(jobs);
}
