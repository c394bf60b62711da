import type { FlowError } from '../../errors.js';
import { FlowRecord } from '../flow.js';
import { Headers } from '../headers.js';
import { type MessageRecord, RequestRecord } from '../message.js';
import { ResponseRecord } from '../response.js';

interface Sample {
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  streamed?: boolean;
  /** Octets that have come so far; default those of `body`. */
  received?: number;
}

/** A flow as the proxy would have recorded it; without `response`, none has come. */
export function sampleFlow(
  request: Sample & { url?: string; method?: string } = {},
  response?: Sample & { status?: number },
  error?: FlowError,
): FlowRecord {
  const client = { id: 1, address: '127.0.0.1', port: 50000, tls: false };
  const flow = new FlowRecord('1', client, undefined);
  const { method = 'GET', url = 'https://app.test/' } = request;
  flow.request = new RequestRecord(flow, {
    method,
    url,
    version: '1.1',
    headers: Headers.from(request.headers ?? {}),
  });
  fill(flow.request, request);
  if (response !== undefined) {
    const head = { status: response.status ?? 200, statusText: '', version: '1.1' };
    flow.response = new ResponseRecord(flow, { ...head, headers: Headers.from(response.headers ?? {}) });
    fill(flow.response, response);
  }
  flow.error = error;
  return flow;
}

/** A CORS preflight for `url`. */
export function samplePreflight(url: string): FlowRecord {
  const headers = { Origin: 'https://other.test', 'Access-Control-Request-Method': 'POST' };
  return sampleFlow({ url, method: 'OPTIONS', headers }, { status: 204 });
}

function fill(message: MessageRecord, { body = '', streamed = false, received }: Sample): void {
  const bytes = Buffer.from(body);
  if (streamed) message.becomeStreamed();
  else message.record(bytes, false);
  Object.defineProperty(message.transfer.received, 'bytes', { value: received ?? bytes.length });
}
