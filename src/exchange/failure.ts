import { STATUS_CODES } from 'node:http';
import type { FlowErrorCode } from '../errors.js';
import { Headers } from '../flow/headers.js';
import type { WholeBody } from '../origin/stream.js';
import type { OutgoingResponse } from './client-stream.js';

/** Failures that are answered whatever `originErrors` says: they are not the origin's. */
const CLIENT_FAULTS: Partial<Record<FlowErrorCode, number>> = {
  CLIENT_PROTOCOL: 400,
  PROXY_LOOP: 508,
  // A browser repeats a GET that is cut; the test's own mistake should be seen once.
  HOOK_FAILED: 502,
  RULE_FAILED: 502,
  INTERNAL: 502,
};

/** Characters of an answer's text, which may quote what a client sent. */
const LONGEST = 1000;
/** What terminals obey. Lines and tabs are for whoever reads. */
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/** A whole plain-text response made by the proxy itself. It closes the connection. */
export function plainResponse(status: number, text: string): { head: OutgoingResponse; body: WholeBody } {
  const bytes = Buffer.from(`${quotable(text)}\n`);
  const statusText = STATUS_CODES[status] ?? '';
  const headers = Headers.from({
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': String(bytes.length),
    Connection: 'close',
  });
  return {
    head: { status, statusText, version: '1.1', headers, framing: 'length' },
    body: { bytes, room: undefined, chunks: undefined, lastLine: undefined, trailers: undefined },
  };
}

/** Text that may be shown anywhere: short, and without control characters. */
function quotable(text: string): string {
  const escaped = text.replace(CONTROLS, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return escaped.length > LONGEST ? `${escaped.slice(0, LONGEST)}\u2026` : escaped;
}

/** What a client is told of a failure before a response head went out; `undefined` if its connection is cut instead. */
export function failureResponse(
  code: FlowErrorCode,
  message: string,
  status: number | undefined,
  originErrors: 'respond' | 'abort',
) {
  const fault = status ?? CLIENT_FAULTS[code];
  if (fault !== undefined) return plainResponse(fault, `${code}: ${message}`);
  return originErrors === 'respond' ? plainResponse(502, `${code}: ${message}`) : undefined;
}
