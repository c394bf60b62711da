import net from 'node:net';
import tls from 'node:tls';
import { formatAuthority, withoutBrackets } from '../flow/authority.js';

/** A proxy's answer to CONNECT is not longer. */
const MAX_HEAD = 64 * 1024;

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
    socket.off('readable', read).off('end', ended).off('error', settle);
    if (error !== null) socket.destroy();
    opened(error, error === null ? socket : null);
  };
  const ended = () =>
    settle(new Error(`the proxy ${proxy.host} closed the connection instead of answering CONNECT`));
  const read = () => {
    for (let bytes: Buffer | null = socket.read(); bytes !== null; bytes = socket.read()) {
      head = Buffer.concat([head, bytes]);
    }
    const end = head.indexOf('\r\n\r\n');
    if (end === -1 && head.length <= MAX_HEAD) return;
    const line = head.toString('latin1', 0, 200).split('\r\n', 1)[0] ?? '';
    if (!/^HTTP\/1\.[01] 2\d\d/.test(line)) {
      settle(new Error(`the proxy ${proxy.host} refused CONNECT ${authority}: ${line}`));
      return;
    }
    // A server that speaks first may have been heard already.
    const rest = head.subarray(end + 4);
    if (rest.length > 0) socket.unshift(rest);
    settle(null);
  };
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
