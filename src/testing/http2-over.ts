import http2, { type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import tls from 'node:tls';

/**
 * node:http2 over a connection that somebody else made, and read until now.
 * @param secure how to speak TLS over it; without, HTTP/2 is known beforehand
 * @throws the TLS error, or an Error if the other end chose something else than HTTP/2
 */
export async function http2Over(
  socket: Socket,
  secure?: tls.ConnectionOptions,
  authority = 'app.test',
): Promise<ClientHttp2Session> {
  socket.removeAllListeners('data');
  if (secure === undefined) {
    const session = http2.connect(`http://${authority}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    return session;
  }
  const over = tls.connect({ ALPNProtocols: ['h2', 'http/1.1'], ...secure, socket });
  return new Promise((resolve, reject) => {
    over.once('error', reject);
    // At once: the settings of the other end come with the end of the handshake.
    over.once('secureConnect', () => {
      if (over.alpnProtocol !== 'h2') {
        reject(new Error(`the other end chose ${over.alpnProtocol}`));
        return;
      }
      const session = http2.connect(`https://${authority}`, { createConnection: () => over });
      session.on('error', () => undefined);
      resolve(session);
    });
  });
}
