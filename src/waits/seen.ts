/**
 * What was seen instead: the flows that failure messages list.
 * @module
 */
import { SluiceError } from '../errors.js';
import type { FlowRecord } from '../flow/flow.js';
import { type CompiledMatch, explainMismatch } from '../flow/match.js';
import type { TcpFlowRecord } from '../flow/tcp.js';
import type { TcpFlow } from '../flow/tcp-types.js';
import type { HttpFlow } from '../flow/types.js';
import { describeFlow } from '../har/summary.js';
import { describeTcp } from '../har/tcp.js';

/** Flows a message lists. */
const LISTED = 10;

/** The recorded flows, those nearest to `match` first, with what kept them from matching. */
export function nearestMisses(match: CompiledMatch | undefined, flows: Iterable<HttpFlow>): string {
  const all = [...flows];
  if (all.length === 0) return 'No flows were recorded. Does the client use the proxy?';
  const ranked =
    match === undefined
      ? all.map((flow) => ({ flow, score: 0, reasons: [] as string[] })).reverse()
      : all.map((flow) => ({ flow, ...explainMismatch(match, flow) })).sort((a, b) => b.score - a.score);
  const lines = ranked.slice(0, LISTED).map(({ flow, reasons }) => {
    const why = reasons.length === 0 ? '' : `\n      ${reasons.join('; ')}`;
    return `  - ${describeFlow(flow)}${why}`;
  });
  const heading = match === undefined ? 'Recorded flows, latest first:' : 'Recorded flows, nearest first:';
  return listed(heading, all, lines);
}

/** The recorded TCP flows. */
export function listTcpFlows(flows: Iterable<TcpFlow>): string {
  const all = [...flows].reverse();
  if (all.length === 0)
    return 'No TCP flows were recorded. Does tcpHosts name the host, and does the client use the proxy?';
  return listed(
    'Recorded TCP flows, latest first:',
    all,
    all.slice(0, LISTED).map((flow) => `  - ${describeTcp(flow)}`),
  );
}

function listed(heading: string, all: readonly unknown[], lines: readonly string[]): string {
  const more = all.length > LISTED ? [`  ... and ${all.length - LISTED} more`] : [];
  return [heading, ...lines, ...more].join('\n');
}

/** A match of flows, compiled for one proxy. */
export interface FlowSearch {
  /** The match as it was typed. */
  readonly describe: string;
  /** @throws whatever the caller's function throws */
  test(flow: HttpFlow): boolean | Promise<boolean>;
  /** The recorded flows, the nearest first, with what kept them from matching. */
  misses(): string;
}

export function searchOf(match: CompiledMatch, flows: Iterable<HttpFlow>): FlowSearch {
  const { describe, test } = match;
  return { describe, test, misses: () => nearestMisses(match, flows) };
}

/** The error of a wait whose flow failed. It carries the flow. */
export function failureOf(flow: FlowRecord | TcpFlowRecord, what: string): SluiceError | undefined {
  if (flow.error === undefined) return undefined;
  const { code, message, cause } = flow.error;
  const error = new SluiceError(
    'FLOW_FAILED',
    `${what}: the flow failed with ${code}: ${message}\n  ${flow.type === 'tcp' ? describeTcp(flow) : describeFlow(flow)}`,
    {
      cause,
    },
  );
  return Object.assign(error, { flow });
}
