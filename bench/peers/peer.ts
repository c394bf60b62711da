/**
 * What is measured, in a process of its own: `relay ORIGIN_PORT` pipes sockets, `tls-relay ORIGIN_PORT FOLDER` ends TLS
 * and begins it anew, `tunnel` pipes after a CONNECT, `node-http` is a proxy that pipes what node:http reads, and
 * `sluice OPTIONS RULE` is the proxy.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { keepsLength, type ProxyOptions, type RecordingProxy, startProxy } from '../../dist/esm/src/index.js';

const [kind = '', first = '', rule = ''] = process.argv.slice(2);
let proxy: RecordingProxy | undefined;

const identity = keepsLength(async function* (pieces) {
  yield* pieces;
});

function joinBoth(client: Duplex, origin: Duplex): void {
  client.pipe(origin).on('error', () => client.destroy());
  origin.pipe(client).on('error', () => origin.destroy());
}

function serve(server: net.Server): void {
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
}

if (kind === 'relay') {
  serve(
    net.createServer({ noDelay: true }, (client) =>
      joinBoth(client, net.connect({ port: Number(first), host: '127.0.0.1', noDelay: true })),
    ),
  );
} else if (kind === 'tls-relay') {
  const credentials = { cert: readFileSync(`${rule}/cert.pem`), key: readFileSync(`${rule}/key.pem`) };
  const server = tls.createServer({ ...credentials, ALPNProtocols: ['http/1.1'], noDelay: true }, (client) =>
    joinBoth(
      client,
      tls
        .connect({
          port: Number(first),
          host: '127.0.0.1',
          servername: 'localhost',
          rejectUnauthorized: false,
        })
        .setNoDelay(true),
    ),
  );
  serve(server);
} else if (kind === 'node-http') {
  const agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  serve(
    http.createServer((request, response) => {
      const { method, headers, url = '' } = request;
      const upstream = http.request(url, { method, headers, agent }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      upstream.on('error', () => response.destroy());
      request.pipe(upstream);
    }),
  );
} else if (kind === 'tunnel') {
  const server = http.createServer({ noDelay: true });
  server.on('connect', (request, client, head) => {
    const [host, port] = (request.url ?? '').split(':');
    const origin = net.connect({ host, port: Number(port), noDelay: true }, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      origin.write(head);
      joinBoth(client, origin);
    });
  });
  serve(server);
} else {
  proxy = await startProxy(JSON.parse(first) as ProxyOptions);
  if (rule === 'stream') proxy.stream('**', true);
  if (rule === 'transform') proxy.stream('**', { response: identity });
  if (rule === 'transform-request') proxy.stream('**', { request: identity });
  process.send?.({ port: proxy.port });
}

/** What is recorded of WebSocket messages; of the last one also how much of it. */
function messages(): object {
  const all = [...(proxy?.flows ?? [])].flatMap((flow) => flow.websocket?.messages ?? []);
  return {
    count: all.length,
    octets: all.reduce((sum, message) => sum + message.size, 0),
    truncated: all.filter((message) => message.truncated).length,
    stored: all.at(-1)?.data.length ?? 0,
  };
}

process.on('message', ({ id, what }: { id: number; what: string }) => {
  const gc = globalThis.gc;
  if (what === 'gc') {
    gc?.();
    gc?.();
  }
  if (what === 'clear') proxy?.flows.clear();
  const told = what === 'messages' ? { messages: messages() } : {};
  const { user, system } = process.cpuUsage();
  process.send?.({
    id,
    ...process.memoryUsage(),
    cpu: user + system,
    flows: proxy?.flows.length ?? 0,
    ...told,
  });
});
process.on('disconnect', () => process.exit());
