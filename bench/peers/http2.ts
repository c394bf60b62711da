/**
 * Peers of the HTTP/2 benchmark, each in a process of its own: `origin` has TLS and speaks both versions, `plain-origin`
 * and `pipe ORIGIN_PORT`, a proxy that pipes streams and nothing else, speak HTTP/2 without TLS, and
 * `forward PROXY_PORT AUTHORITY` leads through a CONNECT, for a client that knows of no proxies.
 */
import http2, { type ServerHttp2Stream } from 'node:http2';
import net from 'node:net';
import { loadCa } from '../../src/tls/ca.js';
import { caPem } from '../../src/tls/testing/pems.js';

const [kind = '', first = '', authority = ''] = process.argv.slice(2);
const BLOCK = Buffer.alloc(1024 * 1024, 'sluice ');
const SMALL = 'x'.repeat(1024);
/** The proxy's own: with Node's 64 KiB it is the round trips that would be measured. */
const STREAM_WINDOW = 1024 * 1024;
const SESSION_WINDOW = 16 * 1024 * 1024;
const WINDOWS = { settings: { initialWindowSize: STREAM_WINDOW, enablePush: false } };

/** `/down/N` sends N octets, anything else 1 KiB. */
function answer(stream: ServerHttp2Stream, path: string): void {
  stream.on('error', () => undefined);
  const [, octets] = /^\/down\/(\d+)/.exec(path) ?? [];
  if (octets === undefined) {
    stream.respond({ ':status': 200, 'content-type': 'text/plain', 'content-length': '1024' });
    stream.end(SMALL);
    return;
  }
  let left = Number(octets);
  stream.respond({ ':status': 200, 'content-length': octets });
  const more = () => {
    while (left > 0) {
      const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left);
      left -= part.length;
      if (!stream.write(part)) return;
    }
    stream.end();
  };
  stream.on('drain', more);
  more();
}

function pipeTo(port: number): http2.Http2Server {
  const session = http2.connect(`http://127.0.0.1:${port}`, WINDOWS, () =>
    session.setLocalWindowSize(SESSION_WINDOW),
  );
  const server = http2.createServer(WINDOWS);
  server.on('session', (accepted) => accepted.setLocalWindowSize(SESSION_WINDOW));
  server.on('stream', (stream, fields) => {
    const upstream = session.request(fields);
    upstream.on('response', (head) => {
      stream.respond(head);
      upstream.pipe(stream);
    });
    upstream.on('error', () => stream.close());
    stream.on('error', () => upstream.close());
    stream.pipe(upstream);
  });
  return server;
}

function forward(client: net.Socket): void {
  const tunnel = net.connect({ port: Number(first), host: '127.0.0.1', noDelay: true });
  tunnel.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  tunnel.once('data', () => {
    client.pipe(tunnel);
    tunnel.pipe(client);
  });
  client.on('error', () => tunnel.destroy());
  tunnel.on('error', () => client.destroy());
}

function serverOf(): net.Server {
  switch (kind) {
    case 'forward':
      return net.createServer({ noDelay: true }, forward);
    case 'pipe':
      return pipeTo(Number(first));
    case 'plain-origin':
      return http2.createServer().on('stream', (stream, fields) => answer(stream, String(fields[':path'])));
    default: {
      const credentials = loadCa(caPem()).credentialsFor('bench.test');
      return http2
        .createSecureServer({ ...credentials, allowHTTP1: true })
        .on('stream', (stream, fields) => answer(stream, String(fields[':path'])))
        .on('request', (request, response) => {
          if (request.httpVersionMajor === 2) return;
          response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1024' }).end(SMALL);
        });
    }
  }
}

const server = serverOf();
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('message', ({ id }: { id: number }) => {
  const { user, system } = process.cpuUsage();
  process.send?.({ id, ...process.memoryUsage(), cpu: user + system });
});
process.on('disconnect', () => process.exit());
