import { types } from 'node:util';
import { SluiceError, shown } from './errors.js';
import type { WebSocketMessage } from './flow/payload-types.js';
import type { TcpFlow, TcpMessage } from './flow/tcp-types.js';
import type { AnsweredFlow, ClientInfo, HttpFlow, WebSocketFlow } from './flow/types.js';
import { nearest } from './nearest.js';

/** Addons' hooks: mitmproxy's, in camel case. Each may be asynchronous; the message waits for it. */
export interface Hooks {
  /** The request head is there, nothing has been forwarded: decide about `stream`, edit, `respond()`, `kill()`. */
  requestHeaders(flow: HttpFlow): void | Promise<void>;
  /** The request is there to its last octet; a buffered one can still be edited. */
  request(flow: HttpFlow): void | Promise<void>;
  /** The response head is there, nothing of it has been forwarded. */
  responseHeaders(flow: AnsweredFlow): void | Promise<void>;
  /** The response is there to its last octet; a buffered one can still be edited. */
  response(flow: AnsweredFlow): void | Promise<void>;
  /** The flow failed; `flow.error` says how. A flow has either this or `response`. */
  error(flow: HttpFlow): void | Promise<void>;
  /** A WebSocket is open, nothing has passed: decide about `websocket.stream`, `send()`, `kill()`. */
  websocketStart(flow: WebSocketFlow): void | Promise<void>;
  /** A message is there to its end; on a connection that is not streamed it can still be edited or dropped. */
  websocketMessage(flow: WebSocketFlow, message: WebSocketMessage): void | Promise<void>;
  /** A WebSocket is over, however it ended. */
  websocketEnd(flow: WebSocketFlow): void | Promise<void>;
  /** A connection that `tcpHosts` names is there, nothing has passed. Without `flow.server` its origin can't be reached. */
  tcpStart(flow: TcpFlow): void | Promise<void>;
  /** Something was read from one of its ends; it can still be edited. */
  tcpMessage(flow: TcpFlow, message: TcpMessage): void | Promise<void>;
  /** It is over, however it ended. */
  tcpEnd(flow: TcpFlow): void | Promise<void>;
  /** A client has connected to the proxy; it has not sent anything yet. */
  clientConnect(client: ClientInfo): void | Promise<void>;
  /** A client's connection is closed. */
  clientDisconnect(client: ClientInfo): void | Promise<void>;
  /** Something went wrong with a client's connection that belongs to no flow, such as a failed TLS handshake. */
  clientError(client: ClientInfo, error: Error): void | Promise<void>;
}

/** The names of the hooks, for checking addons. */
export const HOOK_NAMES: readonly (keyof Hooks)[] = [
  'requestHeaders',
  'request',
  'responseHeaders',
  'response',
  'error',
  'websocketStart',
  'websocketMessage',
  'websocketEnd',
  'tcpStart',
  'tcpMessage',
  'tcpEnd',
  'clientConnect',
  'clientDisconnect',
  'clientError',
];

/** @throws SluiceError BAD_OPTION for a hook that does not exist, or a handler that is no function */
function checkHook(hook: string, handler: unknown): void {
  if (!(HOOK_NAMES as readonly string[]).includes(hook)) {
    const near = nearest(hook, HOOK_NAMES);
    const hint = near === undefined ? `known are ${HOOK_NAMES.join(', ')}` : `did you mean ${near}?`;
    throw new SluiceError('BAD_OPTION', `unknown hook ${shown(hook)}; ${hint}`);
  }
  if (typeof handler !== 'function') {
    throw new SluiceError('BAD_OPTION', `hook ${hook}: ${shown(handler)} is not a function`);
  }
}

type Handler = (...args: unknown[]) => void | Promise<void>;

/** Hooks' handlers, in order of registration. */
export class HookTable {
  readonly #handlers = new Map<keyof Hooks, { run: Handler }[]>();

  /** @returns what takes the handler out again */
  add<H extends keyof Hooks>(hook: H, handler: Hooks[H]): () => void {
    checkHook(hook, handler);
    // An entry of its own: a function that was added twice can be taken out once.
    const entry = { run: handler as Handler };
    this.#handlers.set(hook, [...(this.#handlers.get(hook) ?? []), entry]);
    return () => {
      const others = (this.#handlers.get(hook) ?? []).filter((other) => other !== entry);
      this.#handlers.set(hook, others);
    };
  }

  /** Adds each hook of an addon. @returns what takes them out again. @throws SluiceError BAD_OPTION if it has none */
  addAll(addon: Partial<Hooks>): () => void {
    const names = HOOK_NAMES.filter((name) => addon[name] !== undefined);
    if (names.length === 0) {
      throw new SluiceError(
        'BAD_OPTION',
        `use: an addon without hooks; known hooks are ${HOOK_NAMES.join(', ')}`,
      );
    }
    for (const name of names) checkHook(name, addon[name]);
    const removals = names.map((name) =>
      this.add(name, ((...args: never[]) => callHook(addon, name, args)) as Hooks[typeof name]),
    );
    return () => {
      for (const remove of removals) remove();
    };
  }

  /** Whether a hook has a handler. */
  has(hook: keyof Hooks): boolean {
    return (this.#handlers.get(hook)?.length ?? 0) > 0;
  }

  /** Runs the handlers one after another. Returns a promise only if one of them did. */
  run<H extends keyof Hooks>(hook: H, ...args: Parameters<Hooks[H]>): Promise<void> | undefined {
    const handlers = this.#handlers.get(hook);
    if (handlers === undefined || handlers.length === 0) return undefined;
    try {
      for (const [i, handler] of handlers.entries()) {
        const running: unknown = handler.run(...args);
        // A handler that happens to return something else, as `() => list.push(flow)` does, is none to wait for.
        if (isThenable(running)) return this.#rest(hook, running, handlers.slice(i + 1), args);
      }
    } catch (thrown) {
      throw asOf(hook, thrown);
    }
    return undefined;
  }

  async #rest(
    hook: keyof Hooks,
    running: PromiseLike<unknown>,
    handlers: { run: Handler }[],
    args: unknown[],
  ): Promise<void> {
    try {
      await running;
      for (const handler of handlers) await handler.run(...args);
    } catch (thrown) {
      throw asOf(hook, thrown);
    }
  }
}

/** This file, as frames name it. */
const HERE = /(?:\(|at )([^()]+):\d+:\d+\)?$/.exec(new Error().stack?.split('\n')[1] ?? '')?.[1];
/** Frames that say nothing of a handler. */
const INTERNAL = /\bnode:internal\//;

/** The same error; in place of the frames that called the handler, its stack names the hook. */
function asOf(hook: keyof Hooks, thrown: unknown): unknown {
  if (HERE === undefined || !types.isNativeError(thrown)) return thrown;
  try {
    const lines = String(thrown.stack).split('\n');
    let end = lines.findIndex((line) => line.startsWith('    at ') && line.includes(`${HERE}:`));
    if (end === -1) return thrown;
    while (INTERNAL.test(lines[end - 1] ?? '')) end--;
    Reflect.set(thrown, 'stack', [...lines.slice(0, end), `    at the ${hook} hook (sluice)`].join('\n'));
  } catch {
    // What is thrown may be anything, even something that can't be asked for its stack.
    return thrown;
  }
  return thrown;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function callHook<H extends keyof Hooks>(
  addon: Partial<Hooks>,
  name: H,
  args: never[],
): void | Promise<void> {
  // Looked up at each call, with the addon as `this`: an addon may be a class, and may change itself.
  return (addon as Record<string, ((...args: never[]) => void | Promise<void>) | undefined>)[name]?.(...args);
}
