import type { HttpFlow } from '../flow/types.js';
import type { ProxyOptions } from '../options/types.js';
import type { RecordingProxy } from '../proxy.js';
import { RawOrigin, type RawPeer, rawClient } from './raw-peer.js';
import { testProxy } from './test-proxy.js';

/** What a test plays with: a proxy, an origin behind it, and clients in front. */
export interface Stage {
  proxy: RecordingProxy;
  origin: RawOrigin;
  /** A new connection to the proxy. */
  client(): Promise<RawPeer>;
  /** Sends `head` (without its empty line) and `body`, and gives both ends when the origin has the head. */
  exchange(head: string, body?: string | Uint8Array): Promise<Exchanging>;
  /** The flow of that number, from 1, once it is over: complete, or in an error whose hook has run. */
  over(number?: number): Promise<HttpFlow>;
  /** Waits until `holds`. */
  eventually(holds: () => boolean, what: string): Promise<void>;
  /** The hooks that ran, in order, as `name` for the first flow and `name 2` for the second ... */
  hooks: string[];
}

export interface Exchanging {
  client: RawPeer;
  upstream: RawPeer;
  /** The head the origin received. */
  head: string;
}

const HOOKS = ['requestHeaders', 'request', 'responseHeaders', 'response', 'error'] as const;
/** A test that has not ended by then hangs, in milliseconds. */
const PATIENCE = 30_000;

/** Runs `play` with the fixture's proxy and an origin. A test that hangs says what it waits for. */
export async function withProxy(options: ProxyOptions, play: (stage: Stage) => Promise<void>): Promise<void> {
  const proxy = await testProxy(options);
  const origin = await RawOrigin.listen();
  const clients: RawPeer[] = [];
  const hooks: string[] = [];
  const ended = new Set<HttpFlow>();
  const waiting = new Map<() => boolean, string>();
  let checks: (() => void)[] = [];
  let finished = false;
  for (const hook of HOOKS) {
    proxy.on(hook, (flow: HttpFlow) => {
      hooks.push(flow.id === '1' ? hook : `${hook} ${flow.id}`);
    });
  }
  proxy.watch((flow, moment) => {
    if (moment === 'complete' || moment === 'error') ended.add(flow);
  });

  const eventually = (holds: () => boolean, what: string): Promise<void> => {
    waiting.set(holds, what);
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) {
          if (!finished) checks.push(check);
          return;
        }
        waiting.delete(holds);
        resolve();
      };
      check();
    });
  };
  // Short enough not to slow a test down, long enough not to starve what it waits for.
  const ticker = setInterval(() => {
    const due = checks;
    checks = [];
    for (const check of due) check();
  }, 1);

  const client = async () => {
    const peer = await rawClient(proxy.port, `client ${clients.length + 1}`);
    clients.push(peer);
    return peer;
  };
  const stage: Stage = {
    proxy,
    origin,
    hooks,
    client,
    eventually,
    async exchange(head, body = '') {
      const peer = await client();
      await peer.send(`${head.replaceAll('{origin}', origin.host)}\r\n\r\n`, body);
      const upstream = await origin.accept();
      return { client: peer, upstream, head: await upstream.head() };
    },
    async over(number = 1) {
      const find = () => [...proxy.flows].find((flow) => flow.id === String(number));
      await eventually(() => ended.has(find() as HttpFlow), `flow ${number} to be over`);
      return find() as HttpFlow;
    },
  };

  let patience: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    patience = setTimeout(() => {
      const seen = [...clients, ...origin.connections].map((peer) => peer.describe());
      const waits = [...waiting.values()].map((what) => `waiting for ${what}`);
      const flows = [...proxy.flows].map((flow) => `flow ${flow.id}: ${JSON.stringify(flow.error)}`);
      reject(new Error(['the test hangs', ...waits, ...seen, ...flows, hooks.join(' ')].join('\n  ')));
    }, PATIENCE);
  });
  try {
    await Promise.race([play(stage), hung]);
  } finally {
    finished = true;
    clearInterval(ticker);
    clearTimeout(patience);
    for (const peer of clients) peer.destroy();
    origin.close();
  }
}

/** Holds flows in a hook: `reached` resolves when the first is there, `go` lets all of them on. */
export function holdIn(
  proxy: RecordingProxy,
  hook: 'responseHeaders' | 'response',
): { reached: Promise<void>; go: () => void } {
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    proxy.on(hook, () => {
      resolve();
      return held;
    });
  });
  return { reached, go };
}

/** What `verify()` throws: a transform that throws must fail the test. */
export async function problemOf(proxy: RecordingProxy): Promise<unknown> {
  try {
    await proxy.verify();
  } catch (error) {
    return error;
  }
  return undefined;
}
