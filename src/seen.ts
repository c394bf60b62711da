/**
 * What was seen instead: the flows that failure messages list.
 * @module
 */
import { SluiceError } from './errors.js';
import type { FlowRecord } from './flow/flow.js';
import { type CompiledMatch, explainMismatch } from './flow/match.js';
import type { HttpFlow } from './flow/types.js';
import { describeFlow } from './har/summary.js';

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
  if (all.length > LISTED) lines.push(`  ... and ${all.length - LISTED} more`);
  const heading = match === undefined ? 'Recorded flows, latest first:' : 'Recorded flows, nearest first:';
  return [heading, ...lines].join('\n');
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
export function failureOf(flow: FlowRecord, what: string): SluiceError | undefined {
  if (flow.error === undefined) return undefined;
  const { code, message, cause } = flow.error;
  const error = new SluiceError(
    'FLOW_FAILED',
    `${what}: the flow failed with ${code}: ${message}\n  ${describeFlow(flow)}`,
    {
      cause,
    },
  );
  return Object.assign(error, { flow });
}
