import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { testProxy } from '../testing/test-proxy.js';

const AT_ONCE = 100;

describe('idle connections to an origin', () => {
  it('are as many as clients used at once', async () => {
    let connections = 0;
    const waiting: http.ServerResponse[] = [];
    const origin = http.createServer((_, response) => {
      waiting.push(response);
      // Nobody is answered before all have asked, so that each needs a connection of its own.
      if (waiting.length === AT_ONCE) for (const each of waiting.splice(0)) each.end('ok');
    });
    origin.on('connection', () => {
      connections++;
    });
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    const proxy = await testProxy();
    const agent = new http.Agent({ keepAlive: true });
    const ask = () =>
      new Promise<void>((resolve, reject) => {
        const path = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/`;
        const request = http.get({ agent, port: proxy.port, path }, (response) => {
          response.resume().on('end', resolve);
        });
        request.on('error', reject);
      });
    try {
      for (let round = 0; round < 3; round++) {
        await Promise.all(Array.from({ length: AT_ONCE }, ask));
        await proxy.idle({ quiet: 1 });
      }
      expect(connections).toBe(AT_ONCE);
    } finally {
      agent.destroy();
      origin.closeAllConnections();
      origin.close();
    }
  });
});
