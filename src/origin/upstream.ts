import { ProtocolError } from '../http1/head.js';
import { ResponseParser } from '../http1/parser.js';
import type { UpstreamProxy } from '../options.js';
import { connectTcp, connectTls, type Dialled } from './connect.js';
import { OriginFailure } from './origins.js';

/** The way to origins through a chained proxy. */
export class UpstreamRoute {
  /** `host:port`. */
  readonly name: string;
  /** The field line that authenticates to it; empty for none. */
  readonly authorization: string;
  readonly #tls: boolean;
  readonly #host: string;
  readonly #port: number;
  readonly #bypass: ((host: string, port: number) => boolean)[];

  constructor(proxy: UpstreamProxy) {
    const url = new URL(proxy.server);
    this.#tls = url.protocol === 'https:';
    this.#host = url.hostname.replace(/^\[|\]$/g, '');
    this.#port = url.port === '' ? (this.#tls ? 443 : 80) : Number(url.port);
    this.name = `${url.hostname}:${this.#port}`;
    const username = proxy.username ?? decodeURIComponent(url.username);
    const password = proxy.password ?? decodeURIComponent(url.password);
    this.authorization =
      username === ''
        ? ''
        : `Proxy-Authorization: Basic ${Buffer.from(`${username}:${password}`).toString('base64')}\r\n`;
    this.#bypass = (proxy.bypass ?? '')
      .split(/[,;\s]+/)
      .filter((entry) => entry !== '')
      .map(bypassEntry);
  }

  /** Whether traffic for a host goes through it. */
  serves(host: string, port: number): boolean {
    return !this.#bypass.some((matches) => matches(host.toLowerCase(), port));
  }

  /** A connection to the proxy, or with `tunnel` through it to the host. @throws OriginFailure */
  async connect(target: { host: string; port: number; tunnel: boolean; timeout: number }): Promise<Dialled> {
    let dialled: Dialled;
    try {
      dialled = await connectTcp({ host: this.#host, port: this.#port, timeout: target.timeout });
      if (this.#tls) {
        const wishes = { serverName: this.#host, verify: true, ca: [], timeout: target.timeout };
        dialled = await connectTls(dialled, wishes);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new OriginFailure('UPSTREAM_PROXY', `the upstream proxy ${this.name} can't be reached: ${why}`, {
        cause: error,
      });
    }
    if (target.tunnel) await this.#openTunnel(dialled, target);
    return dialled;
  }

  #openTunnel(dialled: Dialled, target: { host: string; port: number; timeout: number }): Promise<void> {
    const { socket, buffers } = dialled;
    const authority = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
    return new Promise((resolve, reject) => {
      const finish = (problem?: string) => {
        clearTimeout(timer);
        socket.off('data', read).off('error', failed).off('close', closed);
        if (buffers !== undefined) buffers.onRead = undefined;
        if (problem === undefined) {
          resolve();
          return;
        }
        socket.destroy();
        reject(new OriginFailure('UPSTREAM_PROXY', `the upstream proxy ${this.name} ${problem}`));
      };
      const parser = new ResponseParser({
        head: ({ status, statusText }) => {
          parser.pause();
          finish(
            status >= 200 && status < 300
              ? undefined
              : `refused CONNECT ${authority}: ${status} ${statusText}`,
          );
        },
        chunk: () => undefined,
        data: () => undefined,
        wire: () => undefined,
        end: () => undefined,
      });
      parser.method = 'CONNECT';
      const read = (bytes: Buffer) => {
        try {
          parser.execute(bytes);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          finish(`answered CONNECT with something that is not HTTP: ${error.message}`);
        }
      };
      const failed = (error: Error) => finish(`failed: ${error.message}`);
      const closed = () => finish('closed the connection instead of answering CONNECT');
      const timer = setTimeout(
        () => finish(`did not answer CONNECT within ${target.timeout} ms`),
        target.timeout,
      );
      socket.on('error', failed).on('close', closed);
      if (buffers === undefined) socket.on('data', read);
      else buffers.onRead = read;
      socket.write(
        `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${this.authorization}\r\n`,
        'latin1',
      );
    });
  }
}

/** `.name` and `*.name` match below a name, `name` the name and below it, as Playwright's clients have it. */
function bypassEntry(entry: string): (host: string, port: number) => boolean {
  const [pattern = '', portText] = entry.toLowerCase().split(/:(?=\d+$)/);
  const name = pattern.replace(/^\*?\./, '.');
  return (host, port) => {
    if (portText !== undefined && Number(portText) !== port) return false;
    if (name === '*') return true;
    if (name === '<local>') return !host.includes('.');
    return host === name || host.endsWith(name.startsWith('.') ? name : `.${name}`);
  };
}
