import net from 'node:net';
import tls from 'node:tls';
import { clearTimeout, setTimeout } from '../clock.js';
import { formatAuthority, withoutBrackets } from '../flow/authority.js';

/** A proxy's answer to CONNECT is not longer. */
const MAX_HEAD = 64 * 1024;
/** Nor does it take longer, in milliseconds. Whoever has given up the request cannot end this. */
const PATIENCE = 30_000;

/** Told once: of an error, or of the socket that leads to the origin. */
export type Opened = (error: Error | null, socket: net.Socket | null) => void;

/**
 * Opens a tunnel through a proxy, as a client does (RFC 9110 section 9.3.6).
 * @param server the proxy's address; credentials in it are sent
 */
export function openTunnel(server: string, host: string, port: number, opened: Opened): net.Socket {
  const proxy = new URL(server);
  const socket = connect(proxy);
  const authority = formatAuthority({ host: withoutBrackets(host), port });
  let head = Buffer.alloc(0);
  const settle = (error: Error | null) => {
    clearTimeout(timer);
    socket.off('readable', read).off('end', ended).off('error', settle);
    if (error !== null) socket.destroy();
    opened(error, error === null ? socket : null);
  };
  const fail = (why: string) => settle(new Error(`the proxy ${proxy.host} ${why}`));
  const ended = () => fail('closed the connection instead of answering CONNECT');
  const read = () => {
    for (let bytes: Buffer | null = socket.read(); bytes !== null; bytes = socket.read()) {
      head = Buffer.concat([head, bytes]);
    }
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) {
      if (head.length > MAX_HEAD) fail(`answered CONNECT with more than ${MAX_HEAD} bytes`);
      return;
    }
    const line = head.toString('latin1', 0, 200).split('\r\n', 1)[0] ?? '';
    if (!/^HTTP\/1\.[01] 2\d\d/.test(line)) {
      fail(`refused CONNECT ${authority}: ${line}`);
      return;
    }
    // A server that speaks first may have been heard already.
    const rest = head.subarray(end + 4);
    if (rest.length > 0) socket.unshift(rest);
    settle(null);
  };
  const timer = setTimeout(() => fail(`did not answer CONNECT within ${PATIENCE} ms`), PATIENCE);
  socket.on('readable', read).on('end', ended).on('error', settle);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization(proxy)}\r\n`);
  return socket;
}

function connect({ protocol, hostname, port }: URL): net.Socket {
  const host = withoutBrackets(hostname);
  if (protocol === 'http:') return net.connect({ host, port: Number(port || 80), noDelay: true });
  return tls.connect({ host, port: Number(port || 443), ...(net.isIP(host) === 0 && { servername: host }) });
}

function authorization({ username, password }: URL): string {
  if (username === '' && password === '') return '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`;
}
