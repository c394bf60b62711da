/**
 * One input with what a parser should tell of it, tried in every way of cutting it.
 * @module
 */
import { expect } from 'expect';
import { cuttings, essence, type RunOptions, run, type Transcript } from './transcript.js';

export interface Case extends Omit<RunOptions, 'kind'> {
  /** The beginning of the input, latin1. */
  head: string;
  /** The body as it should go on in `wire`: everything but the last chunk and the trailers. */
  body?: string;
  /** What follows of the input. */
  tail?: string;
  /** The transcript; without it only the error is looked at. */
  events?: string[];
  error?: { status: number; says: RegExp };
  /** Octets that should be left untaken. */
  left?: number;
  /** What `finish()` should say. Default true. */
  clean?: boolean;
  /** Where to cut, of inputs too long to be cut everywhere. */
  offsets?: number[];
}

/** Runs a case whole, cut at every offset and octet by octet, straight through and with a pause in every event. */
export function runs(
  kind: RunOptions['kind'],
  { head, body = '', tail = '', ...expected }: Case,
): Transcript {
  const input = Buffer.from(head + body + tail, 'latin1');
  let first: Transcript | undefined;
  for (const pausing of [false, true]) {
    for (const cuts of cuttings(input.length, expected.offsets)) {
      const got = run(input, cuts, { kind, pausing, methods: expected.methods, goOn: expected.goOn });
      first ??= got;
      const at = `cut at ${cuts.slice(0, 3).join(',') || 'nothing'}${pausing ? ', pausing' : ''}`;
      expect({ at, ...(essence(got) as object) }).toEqual({ at, ...(essence(first) as object) });
    }
  }
  if (first === undefined) throw new Error('unreachable');
  const { error } = first;
  expect(error?.message ?? 'no error').toMatch(expected.error?.says ?? /^no error$/);
  expect(error?.status).toBe(expected.error?.status);
  if (expected.events !== undefined) expect(first.events).toEqual(expected.events);
  if (error === undefined) {
    expect(first.messages.map((message) => message.wire.toString('latin1')).join('')).toBe(body);
    expect(input.length - first.consumed).toBe(expected.left ?? 0);
    expect(first.clean).toBe(expected.clean ?? true);
  }
  return first;
}
