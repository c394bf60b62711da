import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { type CorpusCase, type ExpectedMessage, readCorpus } from './testing/llhttp-corpus.js';
import { cuttings, essence, type Recorded, run, type Transcript } from './testing/transcript.js';

/** Cases in which we differ from llhttp on purpose, and why. One that no longer differs fails. */
const DIFFERENCES: Record<string, string> = {
  'request/content-length: Content-Length reset when no body is received':
    'its callback asks for the body to be skipped, which no request has a use for',
  'request/invalid: HTTP protocol and ANNOUNCE method': 'methods are open: any token is one',
  'request/invalid: Invalid method': 'methods are open: any token is one',
  'request/method: CONNECT with body': 'a tunnel has no body; a CONNECT that frames one is refused',
  'request/method: SOURCE request with ICE': 'only HTTP is spoken',
  'request/method: OPTIONS request with RTSP': 'only HTTP is spoken',
  'request/method: ANNOUNCE request with RTSP': 'only HTTP is spoken',
  'request/method: PRI request HTTP2':
    'with HTTP/1.1 it is a method like any other, the rest is refused; HTTP/2 says PRI with HTTP/2.0',
  'request/sample: No HTTP version': 'HTTP/0.9 is not spoken',
  'request/uri: Disallow UTF-8 in URI path in strict mode':
    'octets above 127 are read alike by all; whether they are wanted is for the origin to say',
  'response/sample: RTSP response': 'only HTTP is spoken',
  'response/sample: ICE response': 'only HTTP is spoken',
  'response/sample: HTTP version 0.9': 'HTTP/0.9 is not spoken',
  'response/transfer-encoding: `chunked` before other transfer-encoding':
    'chunked that is not last is refused, not read until the connection closes',
  'response/transfer-encoding: multiple transfer-encoding where chunked is not the last one':
    'chunked that is not last is refused, not read until the connection closes',
};

const corpora = process.env.SLUICE_CORPORA ?? path.join(process.cwd(), '..', 'shared', 'corpora');
const folder = path.join(corpora, 'llhttp', 'test');
const skip = existsSync(folder) ? false : `no llhttp corpus at ${folder}; SLUICE_CORPORA names another place`;

describe('the corpus of llhttp', { skip }, () => {
  const cases = skip === false ? readCorpus(folder) : [];

  it('was read', () => {
    expect(cases.length).toBeGreaterThan(200);
    expect(cases.map((c) => c.name)).toEqual(expect.arrayContaining(Object.keys(DIFFERENCES)));
  });

  for (const test of cases) {
    it(test.name, () => {
      const found = differences(test);
      const reason = DIFFERENCES[test.name];
      if (reason === undefined) expect(found).toEqual([]);
      else expect({ reason, differs: found.length > 0 }).toEqual({ reason, differs: true });
    });
  }
});

/** Runs a case, whole and cut everywhere, and tells how the transcript differs from llhttp's. */
function differences(test: CorpusCase): string[] {
  const { kind, input } = test;
  const methods = test.skipBody ? ['HEAD', 'HEAD'] : [];
  const options = { kind, methods, goOn };
  const whole = run(input, [], options);
  for (const pausing of [false, true]) {
    for (const cuts of cuttings(input.length)) {
      expect(essence(run(input, cuts, { ...options, pausing }))).toEqual(essence(whole));
    }
  }
  const lenient = test.variant.startsWith('lenient');
  if (lenient) return refusal(test, whole) === undefined ? ['accepted what is for the lenient only'] : [];
  return [...compared(test, whole)];
}

/** The connection goes on by the rules of the proxy: not after a close, and as something else after an upgrade. */
function goOn({ head }: Recorded): boolean {
  return head.keepAlive && !switches(head);
}

function switches(head: Recorded['head']): boolean {
  return 'method' in head ? head.method === 'CONNECT' || head.upgrade !== undefined : head.status === 101;
}

/** Why the input was not taken; `undefined` if it was. */
function refusal({ kind, input }: CorpusCase, whole: Transcript): string | undefined {
  if (whole.error !== undefined) return whole.error.message;
  const last = whole.messages.at(-1);
  if (last?.ended && !last.head.keepAlive) {
    // Empty lines after a message are skipped, so they are not data after a close.
    const rest = input.toString('latin1', whole.consumed);
    return /[^\r\n]/.test(rest) ? 'data after a close' : undefined;
  }
  // We read a section only when it is complete: it may still turn out to be bad.
  const completed = run(input, [], { kind, goOn, after: Buffer.from('\r\n\r\n') });
  return completed.error?.message;
}

function* compared(test: CorpusCase, whole: Transcript): Generator<string> {
  const { error, finish, messages } = test.expected;
  const refused = refusal(test, whole);
  const last = whole.messages.at(-1);
  const switched = last?.ended === true && switches(last.head);
  if (error === undefined || error.code === 22) {
    if (whole.error !== undefined) yield `refused (${whole.error.message})`;
    if (switched !== (error !== undefined)) yield `switched: ${switched}`;
    if (switched && whole.consumed !== error?.at) yield `stopped at ${whole.consumed}, not ${error?.at}`;
  } else if (refused === undefined) {
    yield `accepted (${error.reason})`;
  }
  if (finish !== undefined && whole.clean !== finish < 2) yield `finish: ${whole.clean}`;

  // Of a refused message llhttp has told more or less than we, but what it completed we have too.
  const told = messages.filter((message) => (error === undefined ? message.headComplete : message.complete));
  const ours = error === undefined ? whole.messages : whole.messages.filter((message) => message.ended);
  if (ours.length !== told.length) yield `${ours.length} messages, not ${told.length}`;
  for (const [i, message] of told.entries()) {
    const our = ours[i];
    if (our === undefined) continue;
    const theirs = JSON.stringify(normal(message));
    const mine = JSON.stringify(shape(our));
    if (mine !== theirs) yield `${mine}, not ${theirs}`;
    // Until-close ends when the connection does; llhttp's log stops before.
    if (our.head.framing.kind !== 'close' && our.ended !== message.complete) yield `ended: ${our.ended}`;
  }
}

/** Spans of llhttp hold the blanks after a value. */
function normal({
  headComplete,
  complete,
  ...message
}: ExpectedMessage): Omit<ExpectedMessage, 'headComplete' | 'complete'> {
  const trim = (fields: [string, string][]) =>
    fields.map(([name, value]) => [name, value.replace(/[ \t]+$/, '')] as [string, string]);
  return { ...message, fields: trim(message.fields), trailers: trim(message.trailers) };
}

function shape({ head, chunks, body, trailers }: Recorded): ReturnType<typeof normal> {
  return {
    method: 'method' in head ? head.method : '',
    url: 'method' in head ? head.target : '',
    version: head.version,
    status: 'status' in head ? head.status : undefined,
    reason: 'status' in head ? head.statusText : '',
    fields: [...head.headers],
    trailers: [...(trailers ?? [])],
    chunks: chunks.map((chunk) => chunk.size),
    body: body.toString('latin1'),
  };
}
