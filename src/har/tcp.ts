/**
 * TCP flows, a line each: what evidence says of them besides HTTP.
 * @module
 */
import type { TcpFlow } from '../flow/tcp-types.js';
import type { HttpFlow } from '../flow/types.js';
import { clip, formatBytes, formatDuration, plural, printable } from './text.js';

/** HTTP flows as they came, TCP flows in order of their start. */
export interface FlowsByType {
  http: HttpFlow[];
  tcp: TcpFlow[];
}

/** Tells HTTP flows from TCP flows. */
export function byType(flows: Iterable<HttpFlow | TcpFlow>): FlowsByType {
  const found: FlowsByType = { http: [], tcp: [] };
  for (const flow of flows) {
    if (flow.type === 'tcp') found.tcp.push(flow);
    else found.http.push(flow);
  }
  found.tcp.sort((a, b) => a.startedAt - b.startedAt);
  return found;
}

/** `TCP db.test:5432, TLS: 3 messages up, 2 down, 1.2 kB up, 40 kB down, closed after 12 ms` */
export function describeTcp(flow: TcpFlow): string {
  const { client, messages, received, truncated, error, warnings, startedAt, endedAt } = flow;
  const up = messages.filter(({ from }) => from === 'client').length;
  const facts = [
    `${plural(up, 'message')} up`,
    `${messages.length - up} down${truncated ? ' and more that are not stored' : ''}`,
    `${formatBytes(received.client)} up`,
    `${formatBytes(received.server)} down`,
  ];
  if (error !== undefined) facts.push(`${error.code}: ${clip(printable(error.message), 200)}`);
  else facts.push(endedAt === undefined ? 'open' : `closed after ${formatDuration(endedAt - startedAt)}`);
  if (warnings.length > 0) facts.push(plural(warnings.length, 'warning'));
  return `TCP ${printable(client.tunnel ?? client.address)}${client.tls ? ', TLS' : ''}: ${facts.join(', ')}`;
}

/** A line each, `most` at most, the count of what was left out included. */
export function tcpLines(flows: readonly TcpFlow[], most: number): string[] {
  if (flows.length <= most) return flows.map(describeTcp);
  const shown = flows.slice(0, Math.max(0, most - 1)).map(describeTcp);
  return most < 1 ? [] : [...shown, `… ${plural(flows.length - shown.length, 'TCP flow')} left out`];
}
