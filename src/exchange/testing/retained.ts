/**
 * Run by memory.test.ts in a process of its own, with --expose-gc: prints what streamed flows leave behind as JSON.
 * @module
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { startProxy } from '../../proxy.js';

const FLOWS = { '/length': 2000, '/chunks': 500, '/transform': 500 };
const BODY = Buffer.alloc(16 * 1024, 'x');

function once(agent: http.Agent, port: number, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, port, path: url, method: 'POST' }, (response) => {
      response.resume().on('end', resolve).on('error', reject);
    });
    request.on('error', reject);
    request.end(BODY);
  });
}

async function heapNow(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  return process.memoryUsage();
}

async function main(): Promise<void> {
  const origin = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      if (request.url === '/chunks') response.write(BODY);
      else response.setHeader('Content-Length', BODY.length);
      response.end(request.url === '/chunks' ? undefined : BODY);
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  const proxy = await startProxy();
  proxy.stream('**');
  proxy.stream('**/transform', {
    response: async function* (pieces) {
      yield* pieces;
    },
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const run = async (path: string, times: number) => {
    const each = Array.from({ length: times }, (_, i) =>
      once(agent, proxy.port, `http://127.0.0.1:${port}${path}?${i}`),
    );
    await Promise.all(each);
    await proxy.idle({ quiet: 1 });
  };
  const perFlow: Record<string, { heap: number; buffers: number }> = {};
  for (const [path, times] of Object.entries(FLOWS)) {
    await run(path, 100);
    const before = await heapNow();
    await run(path, times);
    const after = await heapNow();
    perFlow[path] = {
      heap: (after.heapUsed - before.heapUsed) / times,
      buffers: (after.arrayBuffers - before.arrayBuffers) / times,
    };
  }
  const flows = [...proxy.flows];
  const streamed = flows.filter(
    ({ request, response }) => request.bodyStatus === 'streamed' && response?.bodyStatus === 'streamed',
  );
  console.log(JSON.stringify({ flows: flows.length, streamed: streamed.length, perFlow }));
  agent.destroy();
  await proxy.close();
  origin.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
