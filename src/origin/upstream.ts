import { isIP } from 'node:net';
import { clearTimeout, setTimeout } from '../clock.js';
import { messageOf } from '../errors.js';
import { endpointOf, formatAuthority, withoutBrackets } from '../flow/authority.js';
import { ProtocolError, type ResponseHead } from '../http1/head.js';
import { ResponseParser } from '../http1/parser.js';
import type { UpstreamProxy } from '../options/types.js';
import { connectTcp, connectTls, type Dialled, type OnSocket } from './connect.js';
import { OriginFailure } from './failure.js';
import { splitPort } from './hosts.js';

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
    const { tls, host, port } = endpointOf(url);
    this.#tls = tls;
    this.#host = host;
    this.#port = port;
    this.name = formatAuthority({ host, port });
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
  async connect(target: UpstreamTarget): Promise<Dialled> {
    let dialled: Dialled;
    const { timeout, verify, ca, onSocket, plainReads } = target;
    try {
      dialled = await connectTcp({ host: this.#host, port: this.#port, timeout, onSocket, plainReads });
      if (this.#tls) {
        const wishes = { serverName: this.#host, verify, ca, timeout, alpn: ['http/1.1'] };
        dialled = await connectTls(dialled, wishes);
      }
    } catch (error) {
      const message = `the upstream proxy ${this.name} can't be reached: ${messageOf(error)}`;
      throw new OriginFailure('UPSTREAM_PROXY', message, { cause: error });
    }
    if (!target.tunnel) return dialled;
    return { ...dialled, rest: await this.#openTunnel(dialled, target) };
  }

  /** @returns what came after the answer to CONNECT */
  #openTunnel(dialled: Dialled, target: { host: string; port: number; timeout: number }): Promise<Buffer> {
    const { socket, buffers } = dialled;
    const authority = formatAuthority(target);
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        socket.off('data', read).off('end', closed).off('close', closed);
        if (buffers !== undefined) buffers.onRead = undefined;
      };
      const fail = (problem: string, cause?: unknown) => {
        stop();
        socket.destroy();
        const message = `the upstream proxy ${this.name} ${problem}`;
        reject(new OriginFailure('UPSTREAM_PROXY', message, { cause }));
      };
      let answer: ResponseHead | undefined;
      const parser = new ResponseParser({
        head: (head) => {
          // Interim answers come before the final one.
          if (head.status < 200) return;
          answer = head;
          parser.pause();
        },
        chunk: () => undefined,
        data: () => undefined,
        wire: () => undefined,
        end: () => parser.next(),
      });
      parser.method = 'CONNECT';
      const read = (bytes: Buffer) => {
        let consumed: number;
        try {
          consumed = parser.execute(bytes);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          fail(`answered CONNECT with something that is not HTTP: ${error.message}`, error);
          return;
        }
        if (answer === undefined) return;
        if (answer.status > 299) {
          fail(`refused CONNECT ${authority}: ${answer.status} ${answer.statusText}`);
          return;
        }
        stop();
        socket.pause();
        resolve(Buffer.from(bytes.subarray(consumed)));
      };
      const failed = (error: Error) => fail(`failed: ${error.message}`, error);
      const closed = () => fail('closed the connection instead of answering CONNECT');
      const timer = setTimeout(
        () => fail(`did not answer CONNECT within ${target.timeout} ms`),
        target.timeout,
      );
      // This one stays: until there is a new owner, an error would be an uncaught one.
      socket.on('error', failed);
      socket.on('end', closed).on('close', closed);
      if (buffers === undefined) socket.on('data', read);
      else buffers.onRead = read;
      socket.write(
        `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${this.authorization}\r\n`,
        'latin1',
      );
    });
  }
}

interface UpstreamTarget {
  host: string;
  port: number;
  tunnel: boolean;
  /** Milliseconds. */
  timeout: number;
  /** For a chained proxy that speaks TLS. */
  verify: boolean;
  ca: string[];
  onSocket: OnSocket;
  /** The socket's reads are taken by node:http2. */
  plainReads: boolean;
}

/**
 * `.name` and `*.name` match below a name, `name` the name and below it, as Playwright's clients have it. An entry may
 * end in a port; IPv6 addresses take brackets then.
 */
function bypassEntry(entry: string): (host: string, port: number) => boolean {
  const { host: pattern, port: onlyPort } = splitPort(entry.toLowerCase()) ?? {
    host: withoutBrackets(entry.toLowerCase()),
    port: undefined,
  };
  const name = pattern.replace(/^\*?\./, '.');
  return (host, port) => {
    if (onlyPort !== undefined && onlyPort !== port) return false;
    if (name === '*') return true;
    if (name === '<local>') return !host.includes('.') && isIP(host) === 0;
    return host === name || host.endsWith(name.startsWith('.') ? name : `.${name}`);
  };
}
