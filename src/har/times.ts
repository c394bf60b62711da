import type { HttpFlow } from '../flow/types.js';
import { lastHeard } from './websocket.js';

/** When a flow's phases were. Milliseconds; -1 for a phase that is not over or was never begun. */
export interface FlowTimes {
  /** Since the epoch. */
  readonly start: number;
  readonly send: number;
  readonly wait: number;
  /** Of a WebSocket: to its end, or so far to the last message, ping or pong. */
  readonly receive: number;
  /** From the start to the last thing known to have happened. */
  readonly total: number;
}

/** The phases do not overlap: where the answer came before the upload's end, sending ends with the response's head. */
export function timesOf(flow: HttpFlow): FlowTimes {
  const start = startOf(flow);
  const sent = known(flow.request.transfer.endedAt);
  const answered = known(flow.response?.transfer.startedAt);
  const heard = flow.websocket === undefined ? undefined : known(lastHeard(flow.websocket));
  const received = latest(known(flow.response?.transfer.endedAt), heard);
  const sendEnd = earliest(sent, answered);
  const last = [start, sent, answered, received, known(flow.request.transfer.firstByteAt)]
    .concat(known(flow.response?.transfer.firstByteAt))
    .reduce<number>((end, time) => Math.max(end, time ?? 0), 0);
  return {
    start,
    send: between(start, sendEnd),
    wait: between(sendEnd, answered),
    receive: between(answered, received),
    total: last - start,
  };
}

/** Milliseconds since the epoch. */
export function startOf(flow: HttpFlow): number {
  return known(flow.request.transfer.startedAt) ?? 0;
}

/** Neither an error nor the end of both messages has ended it yet. A WebSocket's flow ends with it, even after an error. */
export function isInFlight(flow: HttpFlow): boolean {
  if (flow.websocket !== undefined) return !flow.websocket.closed;
  if (flow.error !== undefined) return false;
  return !(flow.request.complete && flow.response?.complete === true);
}

function between(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined ? -1 : Math.max(0, Math.round((to - from) * 1000) / 1000);
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function known(time: number | undefined): number | undefined {
  return time !== undefined && Number.isFinite(time) ? time : undefined;
}
