import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import type { ProxyOptions } from '../options/types.js';
import type { RecordingProxy } from '../proxy.js';
import { withProxy } from '../testing/with-proxy.js';
import { toHar } from './har.js';
import { toHtml } from './html.js';
import { describeFlow, summarize } from './summary.js';

/** Plays with a client whose server echoes, through a proxy. */
async function withEcho(
  options: ProxyOptions,
  play: (client: WebSocket, proxy: RecordingProxy, host: string) => Promise<void>,
): Promise<void> {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await withProxy(options, async ({ proxy, over }) => {
      const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, {
        headers: { Host: host },
        finishRequest: (request) => {
          request.path = `http://${host}/live`;
          request.end();
        },
      });
      await play(client, proxy, host);
      await over();
    });
  } finally {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  }
}

for (const streamWebsockets of [false, true]) {
  it(`tells what went through a proxy, streamed: ${streamWebsockets}`, () =>
    withEcho({ streamWebsockets, maxStoredMessageSize: 1000 }, async (client, proxy, host) => {
      await once(client, 'open');
      client.send('{"grün":1}');
      await once(client, 'message');
      client.send(Buffer.alloc(3000, 7));
      await once(client, 'message');
      client.ping('hb');
      await once(client, 'pong');
      const [flow] = proxy.flows;
      if (flow?.websocket === undefined) throw new Error('no WebSocket was recorded');
      const injected = once(client, 'message');
      flow.websocket.send('client', 'mine');
      await injected;
      const facts = '2 messages up, 3 down, 3 kB up, 3 kB down, 1 injected, 2 truncated';
      const stream = streamWebsockets ? ', streamed' : '';
      const head = `GET ws://${host}/live → 101 (WebSocket: ${facts}${stream}`;
      expect(describeFlow(flow)).toBe(`${head}, open)`);
      expect(toHar([flow]).log.entries[0]?.comment).toContain('still open');
      client.close(4001, 'done');
      await once(client, 'close');
      expect(describeFlow(flow)).toMatch(/, clos(?:ed|ing) 4001 "done" by client\)$/);
      await proxy.close();
      expect(describeFlow(flow)).toBe(`${head}, closed 4001 "done" by client)`);
      expect(summarize([flow])).toMatch(/5 messages.* ms +closed 4001 "done" by client$/);

      const { log } = JSON.parse(JSON.stringify(toHar([flow])));
      const [entry] = log.entries;
      expect(entry).toMatchObject({
        _resourceType: 'websocket',
        _webSocketClose: { code: 4001, reason: 'done', by: 'client' },
        response: { status: 101, content: { size: 0 } },
      });
      expect(entry.comment).toBeUndefined();
      const bytes = Buffer.alloc(1000, 7).toString('base64');
      const binary = { opcode: 2, data: bytes, _size: 3000, _truncated: true };
      expect(entry._webSocketMessages).toEqual([
        { type: 'send', time: expect.any(Number), opcode: 1, data: '{"grün":1}' },
        { type: 'receive', time: expect.any(Number), opcode: 1, data: '{"grün":1}' },
        { type: 'send', time: expect.any(Number), ...binary },
        { type: 'receive', time: expect.any(Number), ...binary },
        { type: 'receive', time: expect.any(Number), opcode: 1, data: 'mine', _injected: true },
      ]);
      // Seconds, not milliseconds.
      expect(entry._webSocketMessages[0].time).toBeLessThan(1e11);
      expect(entry._webSocketPings).toEqual([
        { type: 'send', time: expect.any(Number), opcode: 9, data: 'aGI=' },
        { type: 'receive', time: expect.any(Number), opcode: 10, data: 'aGI=' },
      ]);
      expect(toHtml([flow])).toContain('closed 4001');
    }));
}

it('tells which messages a hook dropped', () =>
  withEcho({}, async (client, proxy) => {
    proxy.on('websocketMessage', (_flow, message) => {
      if (message.text() === 'secret') message.drop();
    });
    await once(client, 'open');
    client.send('secret');
    client.send('public');
    const [data] = await once(client, 'message');
    expect(String(data)).toBe('public');
    const [entry] = toHar(proxy.flows).log.entries;
    expect(entry?._webSocketMessages?.map(({ data, _dropped }) => [data, _dropped])).toEqual([
      ['secret', true],
      ['public', undefined],
      ['public', undefined],
    ]);
    expect([...proxy.flows].map((flow) => describeFlow(flow))).toEqual([
      expect.stringContaining('1 dropped'),
    ]);
    client.close();
    await once(client, 'close');
  }));
