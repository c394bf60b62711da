import type { Dispatcher } from 'undici';
import { SluiceError } from '../errors.js';
import { Environment } from './environment.js';
import type { Way } from './way.js';

type Fetch = typeof globalThis.fetch;

/**
 * Node's, kept from when this was loaded: what a test puts in its place is not meant for us. Browser-like sandboxes have
 * none, and where a setup file has come first it may be a mock already.
 */
const nodesFetch = unlessMock(globalThis.fetch);

/** Ways through a proxy for the process it runs in and for its children. What they hold is made when it is asked for. */
export class Clients {
  #environment: Environment | undefined;
  #dispatcher: Promise<Dispatcher> | undefined;
  readonly #unanswered = new Set<Promise<Response>>();
  #closed = false;

  /**
   * @param way not before the proxy listens is its address known
   * @param whyFailed what the proxy knows of why a request for that URL failed
   */
  constructor(
    private readonly way: () => Way,
    private readonly baseURL: string | undefined,
    private readonly whyFailed: (url: string) => string | undefined,
  ) {}

  /** Node's own `fetch`, through the proxy. */
  readonly fetch: Fetch = (input, init) => {
    // What fails in a socket has no frames of whoever asked.
    const asked: { stack?: string } = {};
    Error.captureStackTrace(asked, this.fetch);
    const answer = this.#fetch(input, init, asked.stack).finally(() => this.#unanswered.delete(answer));
    this.#unanswered.add(answer);
    return answer;
  };

  async #fetch(
    input: Parameters<Fetch>[0],
    init: RequestInit | undefined,
    stack: string | undefined,
  ): Promise<Response> {
    this.#checkOpen('fetch');
    // It throws for a proxy that cannot be gone through: then there is nothing to close.
    const way = this.way();
    this.#dispatcher ??= import('./dispatcher.js').then(({ makeDispatcher }) => makeDispatcher(way));
    const target =
      typeof input === 'string' && this.baseURL !== undefined ? new URL(input, this.baseURL) : input;
    const options = { dispatcher: await this.#dispatcher, ...init };
    const { fetch } = nodesFetch === undefined ? await import('undici') : { fetch: nodesFetch };
    try {
      return await (fetch as Fetch)(target, options as RequestInit);
    } catch (error) {
      explain(error, () => this.whyFailed(urlOf(target)), stack);
      throw error;
    }
  }

  /** @throws SluiceError CA_FILE or PROXY_CLOSED */
  get env(): Record<string, string> {
    this.#checkOpen('env');
    const { server, trusted } = this.way();
    this.#environment ??= new Environment(server, trusted[0] ?? '');
    return this.#environment.variables;
  }

  /** What is still under way will fail, and may have nobody left to tell: a test that failed does not await it. */
  abandon(): void {
    for (const answer of this.#unanswered) answer.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#environment?.remove();
    // Not waited for: it is done in microtasks, which a test may have replaced by ones of its own.
    void (await this.#dispatcher)?.destroy();
  }

  #checkOpen(what: string): void {
    if (this.#closed)
      throw new SluiceError('PROXY_CLOSED', `${what}: the proxy is closed; await what uses it before that`);
  }
}

function urlOf(target: Parameters<Fetch>[0]): string {
  const url = new URL(typeof target === 'object' && 'url' in target ? target.url : target);
  url.hash = '';
  return url.href;
}

/** `fetch failed` alone, of nowhere, is of little help. In a sandbox it is no instance of its Error. */
function explain(thrown: unknown, why: () => string | undefined, asked: string | undefined): void {
  const error = thrown as Partial<Error>;
  if (error?.message !== 'fetch failed') return;
  const reason = why();
  if (reason !== undefined) error.message += `: ${reason}`;
  error.stack = `${error.name}: ${error.message}${asked?.slice(asked.indexOf('\n')) ?? ''}`;
}

function unlessMock(fetch: Fetch | undefined): Fetch | undefined {
  return fetch !== undefined && 'mock' in fetch ? undefined : fetch;
}
