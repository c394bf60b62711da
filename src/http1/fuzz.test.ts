import { type EventEmitter, once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { expect } from 'expect';
import { Dice, requests, responses } from './testing/generate.js';
import { type Recorded, run, type Transcript } from './testing/transcript.js';

/**
 * Random messages, read by us and by node:http. A failure names its seed: SLUICE_FUZZ_SEED runs from it again.
 * SLUICE_FUZZ_CASES runs more of them.
 */
const SEED = Number(process.env.SLUICE_FUZZ_SEED ?? 1);
const CASES = Number(process.env.SLUICE_FUZZ_CASES ?? 4000);
const DEADLINE_MS = process.env.SLUICE_FUZZ_CASES === undefined ? 3500 : Number.POSITIVE_INFINITY;
/** Connections at a time. */
const LANES = 8;

/** What either side made of an input. */
interface Verdict {
  outcome: 'taken' | 'unfinished' | 'refused';
  /** Of messages that were complete. */
  messages: unknown[];
  /** Why it was refused: our message, or node's code and reason. */
  why: string;
}

interface Difference {
  because: string;
  /** The reason of our refusal, where node goes on. */
  ours?: RegExp;
  /** The reason of node's, where we go on. */
  nodes?: RegExp;
  /** The input must have this in it. */
  input?: RegExp;
}

/** Differences that are meant. */
const DIFFERENCES: Difference[] = [
  { because: 'methods are open: any token is one', nodes: /^HPE_INVALID_METHOD/ },
  { because: 'targets are judged where they are routed; octets over 127 pass', nodes: /^HPE_INVALID_URL/ },
  {
    because: 'a minor version over 1 is read as 1.1 (RFC 9110 section 2.5)',
    nodes: /^HPE_INVALID_VERSION/,
    input: /HTTP\/1\.[2-9]/,
  },
  {
    because: 'blanks around ; and = are in the grammar of extensions (RFC 9112 section 7.1.1)',
    nodes: /Invalid character in chunk (size|extensions)/,
    input: /[ \t][;=]|[;=][ \t]/,
  },
  { because: 'neither HTTP/0.9 nor HTTP/2 is spoken', ours: /^HTTP\/(0\.9|2\.0) is not spoken here/ },
  { because: 'a request line has single spaces', ours: /^bad request line: ".* {2}/ },
  { because: 'a reason phrase has no control characters', ours: /^bad status line: "HTTP\/\d\.\d \d{3}/ },
  { because: 'an extension has a name, and a value after =', ours: /^bad chunk size or .*(;[;=]|=(;|"$))/ },
  { because: 'Transfer-Encoding has no meaning in HTTP/1.0', ours: /^Transfer-Encoding in an HTTP\/1\.0/ },
  { because: 'a coding is a token; node goes by the end of the list', ours: /^bad Transfer-Encoding/ },
  { because: 'chunked that is not last is refused in responses too', ours: /chunked is not the last$/ },
  {
    because: 'an empty Transfer-Encoding is one',
    ours: /^both Transfer-Encoding and Content-Length/,
    input: /transfer-encoding:[ \t]*\r\n/i,
  },
  {
    because: 'an empty Transfer-Encoding is one; newer versions of node refuse it',
    nodes: /^HPE_INVALID_TRANSFER_ENCODING Empty/,
    input: /transfer-encoding:[ \t]*\r\n/i,
  },
  { because: 'a line without a version is HTTP/0.9', ours: /^bad request line: "\S+ \S+"$/ },
  {
    because: 'a bare CR or LF before a start line is refused, not skipped',
    ours: /^bad (request|status) line: "\\[rn]|^a head with a bare LF$/,
  },
  { because: 'a quoted value of an extension has nothing before its quote', ours: /^bad chunk .*=[^";]+\\"/ },
  { because: 'trailers cannot frame', ours: /^Transfer-Encoding among the trailers/ },
  { because: 'lengths are exact numbers', ours: /over 2\^53$/ },
];

describe('against node:http', () => {
  it('requests', async () => {
    const verdicts = new Map<number | undefined, Verdict>();
    const server = http.createServer({ requireHostHeader: false, maxHeaderSize: 64 * 1024 });
    server.maxHeadersCount = 0;
    const onRequest = (req: http.IncomingMessage, res: http.ServerResponse) => {
      const verdict = verdicts.get(req.socket.remotePort);
      if (verdict !== undefined) collect(verdict, req, `${req.method} ${req.url}`);
      // Not before the body is over: a response that closes the connection would hide how the body ends.
      req.on('end', () => res.writeHead(200, { 'Content-Length': 0 }).end());
    };
    server.on('request', onRequest).on('checkContinue', onRequest).on('checkExpectation', onRequest);
    server.on('clientError', (error, socket: net.Socket) => {
      const verdict = verdicts.get(socket.remotePort);
      if (verdict !== undefined) blame(verdict, error);
      // Not at once: what was complete before the fault is still on its way to its handlers.
      setImmediate(() => socket.destroy());
    });
    const port = await listening(server);
    try {
      await fuzz(requests, 'request', async (input) => {
        const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
        await once(socket, 'connect');
        const verdict: Verdict = { outcome: 'taken', messages: [], why: '' };
        const { localPort } = socket;
        verdicts.set(localPort, verdict);
        // A reset comes when node has refused the input; why is in the verdict by then.
        socket.resume().on('error', (error) => expect(error).toMatchObject({ syscall: expect.any(String) }));
        socket.end(input);
        await closed(socket);
        verdicts.delete(localPort);
        return verdict;
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('responses', async () => {
    const inputs = new Map<string, Buffer>();
    const server = net.createServer((socket) => {
      socket.on('error', (error) => expect(error).toMatchObject({ syscall: expect.any(String) }));
      socket.once('data', (request) => {
        const [, target = ''] = request.toString('latin1').split(' ');
        socket.end(inputs.get(target) ?? '');
        socket.resume();
      });
    });
    const port = await listening(server);
    let serial = 0;
    try {
      await fuzz(responses, 'response', async (input, method) => {
        const path = `/${serial++}`;
        inputs.set(path, input);
        const verdict: Verdict = { outcome: 'unfinished', messages: [], why: '' };
        const req = http.request({
          port,
          host: '127.0.0.1',
          path,
          method,
          agent: false,
          maxHeaderSize: 65536,
        });
        req.on('error', (error) => blame(verdict, error));
        req.on('information', (info) => {
          verdict.messages.push({
            start: `${info.statusCode} ${info.statusMessage}`,
            version: info.httpVersion,
            fields: pairs(info.rawHeaders),
            body: '',
            trailers: [],
          });
        });
        req.on('response', (res) => {
          collect(verdict, res, `${res.statusCode} ${res.statusMessage}`);
          res.on('error', (error) => blame(verdict, error));
          // What follows the final response is nobody's, so neither are its faults.
          res.on('end', () => Object.assign(verdict, { outcome: 'taken' }));
        });
        req.end();
        await closed(req);
        inputs.delete(path);
        return verdict;
      });
    } finally {
      server.close();
    }
  });
});

/** Compares case after case until all are done or time is up. */
async function fuzz(
  generate: (dice: Dice) => string,
  kind: 'request' | 'response',
  ask: (input: Buffer, method: string) => Promise<Verdict>,
): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  let next = SEED;
  const lane = async () => {
    while (next < SEED + CASES && Date.now() < end) {
      const seed = next++;
      const dice = new Dice(seed);
      const method = kind === 'response' && dice.once(8) ? 'HEAD' : 'GET';
      const text = generate(dice)
        // Half an empty line at the very end is nothing to node, and the beginning of something to us.
        .replace(/\r+$/, '')
        // Some versions of llhttp take a tab at the end for a part of the value.
        .replace(/((?:content-length|transfer-encoding):.*?)\s*\t\r\n/gi, '$1\r\n');
      const input = Buffer.from(text, 'latin1');
      const cuts = Array.from({ length: dice.roll(12) }, () => dice.roll(input.length + 1)).sort(
        (a, b) => a - b,
      );
      const options = { kind, methods: Array(9).fill(method), pausing: dice.once(3), goOn: goesOn };
      const transcript = run(input, cuts, options);
      if (transcript.messages.some(isForeign)) continue;
      const ours = judged(kind, transcript);
      const nodes = await ask(input, method);
      // We read a section only when it is complete: an unfinished one may turn out to be bad.
      const late = judged(kind, run(input, cuts, { ...options, after: Buffer.from('\r\n\r\n') }));
      const isLate = ours.outcome === 'unfinished' && nodes.outcome !== 'unfinished';
      const after = isLate && late.outcome === 'refused' ? late : ours;
      const found = difference(after, nodes, text);
      if (found !== undefined) {
        const shown = { seed, difference: found, input: text, ours: after, nodes };
        expect(shown).toEqual({ seed, difference: 'none' });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

function difference(ours: Verdict, nodes: Verdict, input: string): string | undefined {
  const mine = ours.messages.map((message) => JSON.stringify(message));
  const theirs = nodes.messages.map((message) => JSON.stringify(message));
  const common = Math.min(mine.length, theirs.length);
  const odd = mine.slice(0, common).findIndex((message, i) => message !== theirs[i]);
  if (odd !== -1) return `${mine[odd]}, not ${theirs[odd]}`;
  if (ours.outcome === nodes.outcome && mine.length === theirs.length) return undefined;
  // One has gone on where the other has refused.
  const meant = DIFFERENCES.some(
    (known) =>
      known.input?.test(input) !== false &&
      ((nodes.outcome === 'refused' && mine.length >= theirs.length && known.nodes?.test(nodes.why)) ||
        (ours.outcome === 'refused' && mine.length <= theirs.length && known.ours?.test(ours.why))),
  );
  const tell = ({ outcome, why, messages }: Verdict) => `${outcome} after ${messages.length} messages ${why}`;
  return meant ? undefined : `${tell(ours)}, not ${tell(nodes)}`;
}

function goesOn({ head }: Recorded): boolean {
  return 'status' in head ? head.status < 200 : head.keepAlive;
}

/** What is not a matter of HTTP/1.1 alone: tunnels, other protocols, and interim responses of HTTP/1.0. */
function isForeign({ head }: Recorded): boolean {
  if ('method' in head) return head.method === 'CONNECT';
  return head.status === 101 || (head.status < 200 && head.version === '1.0');
}

function judged(kind: 'request' | 'response', { error, clean, messages }: Transcript): Verdict {
  const head = messages.at(-1)?.head;
  // node's client has asked for something: no response, or only interim ones, is not enough.
  const over =
    clean && (kind === 'request' || (head !== undefined && 'status' in head && head.status >= 200));
  return {
    outcome: error !== undefined ? 'refused' : over ? 'taken' : 'unfinished',
    why: error?.message ?? '',
    messages: messages
      .filter((message) => message.ended)
      .map(({ head, body, trailers }) => ({
        start: 'method' in head ? `${head.method} ${head.target}` : `${head.status} ${head.statusText}`,
        version: head.version,
        fields: [...head.headers],
        body: body.toString('latin1'),
        trailers: [...(trailers ?? [])],
      })),
  };
}

function collect(verdict: Verdict, message: http.IncomingMessage, start: string): void {
  const parts: Buffer[] = [];
  message.on('data', (part: Buffer) => parts.push(part));
  message.on('end', () => {
    verdict.messages.push({
      start,
      version: message.httpVersion,
      fields: pairs(message.rawHeaders),
      body: Buffer.concat(parts).toString('latin1'),
      trailers: pairs(message.rawTrailers),
    });
  });
}

type Blame = NodeJS.ErrnoException & { reason?: string };

function blame(verdict: Verdict, error: Blame): void {
  // The last request may be followed by anything; the connection closes all the same.
  if (error.code === 'HPE_CLOSED_CONNECTION' || verdict.outcome === 'refused') return;
  const unfinished = error.code === 'HPE_INVALID_EOF_STATE' || error.code === 'ECONNRESET';
  verdict.outcome = unfinished ? 'unfinished' : 'refused';
  verdict.why = `${error.code} ${error.reason ?? error.message}`;
}

function pairs(raw: string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as [string, string]] : []));
}

/** Unlike `once`, whatever errors come before. */
function closed(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => emitter.once('close', resolve));
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
