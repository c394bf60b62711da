import dns from 'node:dns';
import net from 'node:net';
import tls from 'node:tls';
import { clearTimeout, setTimeout } from '../clock.js';
import { messageOf } from '../errors.js';
import { ReadBuffers } from '../tcp/read-buffers.js';
import { checkServerIdentity } from '../tls/identity.js';
import { OriginFailure } from './failure.js';

/** A connection that is ready to use. */
export interface Dialled {
  socket: net.Socket;
  /** The TCP socket below `socket`. */
  raw: net.Socket;
  /** What `socket` reads into; without it the socket has 'data' events. */
  buffers?: ReadBuffers;
  /** Octets that came already. */
  rest?: Buffer;
  /** What was agreed on in TLS; absent if nothing was. */
  alpn?: string;
  /** It leads to the origin itself: a chained proxy in between passes what is said as it is. */
  tunnelled?: boolean;
}

/** What is told of a socket as soon as there is one, so that it can be closed at any time. */
export type OnSocket = (socket: net.Socket) => void;

/** @throws OriginFailure ORIGIN_UNREACHABLE or ORIGIN_TIMEOUT */
export function connectTcp(target: {
  host: string;
  port: number;
  timeout: number;
  onSocket: OnSocket;
  /** The socket's reads are taken by node:http2. */
  plainReads: boolean;
}): Promise<Dialled> {
  const buffers = target.plainReads ? undefined : new ReadBuffers();
  const socket = net.connect({
    host: target.host,
    port: target.port,
    lookup: lookupLikeABrowser,
    autoSelectFamily: true,
    noDelay: true,
    allowHalfOpen: true,
    ...(buffers === undefined ? {} : { onread: buffers.onread }),
  });
  target.onSocket(socket);
  return settled(socket, 'connect', target.timeout, 'ORIGIN_UNREACHABLE').then(() => ({
    socket,
    raw: socket,
    ...(buffers === undefined ? {} : { buffers }),
  }));
}

/** Speaks TLS over a connection. @throws OriginFailure ORIGIN_TLS or ORIGIN_TIMEOUT */
export async function connectTls(
  over: Dialled,
  wishes: { serverName: string; verify: boolean; ca: string[]; timeout: number; alpn: readonly string[] },
): Promise<Dialled> {
  const isAddress = net.isIP(wishes.serverName) !== 0;
  const socket = tls.connect({
    // Which may be a TLS one itself, to a chained proxy.
    socket: over.socket,
    host: wishes.serverName,
    servername: isAddress ? '' : wishes.serverName,
    ALPNProtocols: [...wishes.alpn],
    rejectUnauthorized: wishes.verify,
    checkServerIdentity,
    ...(wishes.ca.length === 0 ? {} : { secureContext: contextTrusting(wishes.ca) }),
  });
  await settled(socket, 'secureConnect', wishes.timeout, 'ORIGIN_TLS');
  const { alpnProtocol } = socket;
  return { socket, raw: over.raw, ...(typeof alpnProtocol === 'string' ? { alpn: alpnProtocol } : {}) };
}

const contexts = new WeakMap<string[], tls.SecureContext>();

/** Given CAs are trusted besides the public ones, not in their place. Made once: reading all of these takes a while. */
function contextTrusting(ca: string[]): tls.SecureContext {
  const known = contexts.get(ca);
  if (known !== undefined) return known;
  const context = tls.createSecureContext({ ca: [...tls.rootCertificates, ...ca] });
  contexts.set(ca, context);
  return context;
}

function settled(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  timeout: number,
  code: 'ORIGIN_UNREACHABLE' | 'ORIGIN_TLS',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: OriginFailure) => {
      clearTimeout(timer);
      socket.off(event, ready).off('error', failed).off('close', closed);
      if (error === undefined) {
        resolve();
        return;
      }
      // Errors that come after the verdict have nobody left to tell.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const ready = () => finish();
    const failed = (error: Error) => finish(new OriginFailure(code, reasonOf(error), { cause: error }));
    const closed = () => finish(new OriginFailure(code, 'the connection was closed before it was ready'));
    const timer = setTimeout(
      () =>
        finish(new OriginFailure('ORIGIN_TIMEOUT', `no connection within ${timeout} ms (timeouts.connect)`)),
      timeout,
    );
    socket.once(event, ready).once('error', failed).once('close', closed);
  });
}

/** When several addresses were tried, Node's error says so in its parts only. */
function reasonOf(error: Error): string {
  const { errors } = error as Partial<AggregateError>;
  if (Array.isArray(errors)) return errors.map((each) => messageOf(each)).join(', ');
  const { code, reason } = error as Error & { code?: string; reason?: string };
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return 'the origin does not speak TLS on this port; map its name to http://host:port with the option hosts';
  }
  // OpenSSL's own text has a thread's id, a source file and a line break around the reason.
  return reason ?? error.message;
}

/** `localhost` and names below it are this machine (RFC 6761 section 6.3), IPv6 and IPv4, whatever the resolver says. */
const lookupLikeABrowser: net.LookupFunction = (hostname, options, callback) => {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  if (name !== 'localhost' && !name.endsWith('.localhost')) {
    dns.lookup(hostname, options, callback);
    return;
  }
  const addresses = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  if (options.all) callback(null, addresses);
  else callback(null, '127.0.0.1', 4);
};
