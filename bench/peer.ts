/**
 * What is measured, in a process of its own: `relay ORIGIN_PORT` pipes sockets, `sluice OPTIONS RULE` is the proxy.
 */
import net from 'node:net';
import { keepsLength, type ProxyOptions, type RecordingProxy, startProxy } from 'sluice';

const [kind = '', first = '', rule = ''] = process.argv.slice(2);
let proxy: RecordingProxy | undefined;

const identity = keepsLength(async function* (pieces) {
  yield* pieces;
});

if (kind === 'relay') {
  const server = net.createServer({ noDelay: true }, (client) => {
    const origin = net.connect({ port: Number(first), host: '127.0.0.1', noDelay: true });
    client.pipe(origin).on('error', () => client.destroy());
    origin.pipe(client).on('error', () => origin.destroy());
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
} else {
  proxy = await startProxy(JSON.parse(first) as ProxyOptions);
  if (rule === 'stream') proxy.stream('**', true);
  if (rule === 'transform') proxy.stream('**', { response: identity });
  process.send?.({ port: proxy.port });
}

process.on('message', async (what: string) => {
  const gc = globalThis.gc;
  if (what === 'gc') {
    gc?.();
    gc?.();
  }
  if (what === 'clear') proxy?.flows.clear();
  if (what === 'cpu') process.send?.({ cpu: process.cpuUsage() });
  process.send?.({ ...process.memoryUsage(), flows: proxy?.flows.length ?? 0 });
});
process.on('disconnect', () => process.exit());
