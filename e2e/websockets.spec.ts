// WebSockets of a real browser and of Node, through the proxy, to a real server (e2e/sockets.ts).
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { RecordingProxy } from 'sluice';
import { expect, test } from 'sluice/playwright';
import { WebSocket } from 'ws';
import { ended, got, open, told } from './page-sockets.js';
import { runPlaywright } from './playwright-run.js';

test.describe('of a page', () => {
  for (const scheme of ['ws', 'wss']) {
    test(`${scheme}: messages, pings and the end are recorded`, async ({ page, proxy }) => {
      await page.goto(`${scheme.replace('ws', 'http')}://app.test/`);
      await open(page, '/echo?ping=hello');
      await page.evaluate("socket.send('grüße'); socket.send(new Uint8Array([0, 255, 10])); socket.send('')");
      expect(await got(page, 3)).toEqual(['grüße', '[0,255,10]', '']);
      await page.evaluate("socket.close(4001, 'enough')");
      expect((await got(page, 4)).at(-1)).toBe('closed 4001 enough');

      const flow = await ended(proxy, '**/echo?ping=hello');
      expect(flow.request.url).toBe(`${scheme}://app.test/echo?ping=hello`);
      expect(flow.response.status).toBe(101);
      expect(flow.client.tls).toBe(scheme === 'wss');
      const lines = ['text grüße', 'binary [0,255,10]', 'text '];
      for (const from of ['client', 'server']) {
        const own = told(flow).filter((line) => line.startsWith(from));
        expect(own).toEqual(lines.map((line) => `${from} ${line}`));
      }
      const { websocket } = flow;
      expect(websocket.pings.map(({ from, type, data }) => `${from} ${type} ${data}`)).toEqual([
        'server ping hello',
        'client pong hello',
      ]);
      expect(websocket).toMatchObject({ closeCode: 4001, closeReason: 'enough', closedBy: 'client' });
      expect([flow.error, flow.warnings]).toEqual([undefined, []]);
    });
  }

  test('compressed as Chromium and the server agree, recorded in clear', async ({ page, proxy }) => {
    await page.goto('/');
    await open(page, '/echo?deflate=1');
    const text = 'again and '.repeat(1000);
    for (let i = 0; i < 2; i++) await page.evaluate(`socket.send('${text}')`);
    expect(await got(page, 2)).toEqual([text, text]);

    const flow = await proxy.waitForWebSocket('**/echo**');
    await expect(flow.request).toHaveHeader('sec-websocket-extensions', /permessage-deflate/);
    await expect(flow.response).toHaveHeader('sec-websocket-extensions', /permessage-deflate/);
    expect(told(flow).sort()).toEqual([
      ...Array(2).fill(`client text ${text}`),
      ...Array(2).fill(`server text ${text}`),
    ]);
    for (const { size, fragments } of flow.websocket.messages) {
      expect(size).toBe(text.length);
      expect(fragments.reduce((sum, octets) => sum + octets, 0)).toBeLessThan(200);
    }
  });

  test('a handshake that the server refuses', async ({ page, proxy }) => {
    await page.goto('/');
    await open(page, '/nowhere');
    expect(await got(page, 1)).toEqual(['closed 1006 ']);
    await expect(proxy).toHaveFlow({ url: 'wss://app.test/nowhere', status: 404 });
    await expect(proxy.waitForWebSocket('/nowhere')).rejects.toThrow('answered with 404 Not Found');
  });
});

test('of a dedicated worker, which page.routeWebSocket() does not see', async ({ page, proxy }) => {
  const routed: string[] = [];
  await page.routeWebSocket('**', (socket) => {
    routed.push(socket.url());
    socket.connectToServer();
  });
  proxy.on('websocketMessage', (flow, message) => {
    if (message.from === 'server' && flow.request.path === '/echo?of=worker') message.data = 'from the test';
  });
  await page.goto('/');
  await open(page, '/echo?of=page');
  const answer = await page.evaluate(`new Promise((resolve) => {
    const script = \`
      const socket = new WebSocket('wss://app.test/echo?of=worker');
      socket.onopen = () => socket.send('from a worker');
      socket.onmessage = ({ data }) => postMessage(data);
    \`;
    const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
    worker.onmessage = ({ data }) => resolve(data);
  })`);
  expect(answer).toBe('from the test');
  const flow = await proxy.waitForWebSocket('/echo?of=worker');
  expect(told(flow)).toEqual(['client text from a worker', 'server text from the test']);
  expect(routed).toEqual(['wss://app.test/echo?of=page']);
});

test.describe('in the hands of a test', () => {
  for (const path of ['/echo', '/echo?deflate=1']) {
    test(`${path}: edited, dropped, injected`, async ({ page, proxy }) => {
      proxy.on('websocketMessage', (_flow, message) => {
        if (message.from === 'client' && message.text() === 'secret') message.drop();
        if (message.from === 'client' && message.text() === 'cheap') message.data = 'expensive';
        if (message.from === 'server' && message.text() === 'expensive') message.data = Buffer.from('sold');
      });
      await page.goto('/');
      await open(page, path);
      await page.evaluate("for (const text of ['secret', 'cheap', 'as it is']) socket.send(text)");
      expect(await got(page, 2)).toEqual(['sold', 'as it is']);

      const flow = await proxy.waitForWebSocket(path);
      flow.websocket.send('client', 'a push');
      expect((await got(page, 3)).at(-1)).toBe('a push');
      flow.websocket.send('server', 'in the page’s place');
      expect((await got(page, 4)).at(-1)).toBe('in the page’s place');
      await page.evaluate("socket.send('still the same connection')");
      expect((await got(page, 5)).at(-1)).toBe('still the same connection');

      const by = (from: string) => told(flow).filter((line) => line.startsWith(from));
      expect(by('client')).toEqual([
        'client text secret (dropped)',
        'client text expensive',
        'client text as it is',
        'client text in the page’s place (injected)',
        'client text still the same connection',
      ]);
      expect(by('server')).toEqual([
        // It keeps its type.
        'server text sold',
        'server text as it is',
        'server text a push (injected)',
        'server text in the page’s place',
        'server text still the same connection',
      ]);
      expect(flow.warnings).toEqual([]);
    });
  }

  test.describe('streamed', () => {
    test.use({ proxyOptions: { streamWebsockets: true } });

    test('injected only: edits and drops come too late, and say so', async ({ page, proxy }) => {
      proxy.on('websocketStart', ({ websocket }) => websocket.send('client', 'first of all'));
      proxy.on('websocketMessage', (_flow, message) => {
        if (message.from === 'client') message.data = 'edited';
        else message.drop();
      });
      await page.goto('/');
      await open(page, '/echo');
      await page.evaluate("socket.send('as it is')");
      expect(await got(page, 2)).toEqual(['first of all', 'as it is']);
      const flow = await proxy.waitForWebSocket('/echo');
      expect(told(flow)).toEqual([
        'server text first of all (injected)',
        'client text as it is',
        'server text as it is',
      ]);
      expect(flow.warnings).toEqual([
        expect.stringContaining('data was assigned on a streamed connection: it has no effect'),
        expect.stringContaining('drop() was called on a streamed connection: it has no effect'),
      ]);
    });
  });
});

test.describe('how it ends', () => {
  const ways: [what: string, path: string, shown: string, code: number, reason: string][] = [
    ['with a code', '/bye?code=4004&reason=no such room', 'closed 4004 no such room', 4004, 'no such room'],
    ['without a code', '/bye', 'closed 1005 ', 1005, ''],
    ['without a close frame', '/bye?cut=1', 'closed 1006 ', 1006, ''],
  ];
  for (const [what, path, shown, closeCode, closeReason] of ways) {
    test(`by the server, ${what}`, async ({ page, proxy }) => {
      await page.goto('/');
      await open(page, path);
      await page.evaluate("socket.send('go')");
      expect(await got(page, 1)).toEqual([shown]);
      const flow = await ended(proxy, '**/bye**');
      expect(flow.websocket).toMatchObject({ closeCode, closeReason, closedBy: 'server' });
      expect(flow.error).toBeUndefined();
    });
  }

  test('by a tab that is closed, and by one that goes elsewhere', async ({ context, proxy }) => {
    for (const leave of ['close', 'goto'] as const) {
      const page = await context.newPage();
      await page.goto('/');
      await open(page, `/echo?leave=${leave}`);
      await page.evaluate("socket.send('hello')");
      await got(page, 1);
      await (leave === 'close' ? page.close() : page.goto('/text'));
      const flow = await ended(proxy, `/echo?leave=${leave}`);
      expect(flow.websocket).toMatchObject({ closeCode: 1001, closedBy: 'client' });
      expect(told(flow)).toEqual(['client text hello', 'server text hello']);
    }
  });

  test('by a server that breaks the rules', async ({ page, proxy }) => {
    await page.goto('/');
    await open(page, '/wrong');
    await page.evaluate("socket.send('go')");
    expect(await got(page, 1)).toEqual(['closed 1002 the server sent a frame with reserved opcode 3']);
    const flow = await ended(proxy, '/wrong');
    expect(flow.error).toEqual({
      code: 'WEBSOCKET_PROTOCOL',
      message: 'the server sent a frame with reserved opcode 3',
    });
  });
});

/** A connection to the host through the proxy, as a server-side client makes it. */
async function tunnel(proxy: RecordingProxy, host: string): Promise<Duplex> {
  const request = http.request({ host: '127.0.0.1', port: proxy.port, method: 'CONNECT', path: host });
  const answered = once(request, 'connect') as Promise<[http.IncomingMessage, Duplex]>;
  request.end();
  const [response, socket] = await answered;
  expect(response.statusCode).toBe(200);
  return socket;
}

for (const scheme of ['ws', 'wss']) {
  test(`of a client in Node, ${scheme} through CONNECT`, async ({ proxy }) => {
    let stream = await tunnel(proxy, `app.test:${scheme === 'ws' ? 80 : 443}`);
    if (scheme === 'wss') stream = tls.connect({ socket: stream, servername: 'app.test', ca: proxy.ca.cert });
    const url = `${scheme}://app.test/echo?deflate=1`;
    const client = new WebSocket(url, { createConnection: () => stream as tls.TLSSocket });
    await once(client, 'open');
    client.send('hello from Node');
    expect(String((await once(client, 'message'))[0])).toBe('hello from Node');
    client.close(1000, 'done');
    expect((await once(client, 'close'))[0]).toBe(1000);

    const flow = await ended(proxy, url);
    expect(flow.client.tunnel).toMatch(/^app\.test:/);
    expect(told(flow)).toEqual(['client text hello from Node', 'server text hello from Node']);
    expect(flow.websocket).toMatchObject({ closeCode: 1000, closeReason: 'done', closedBy: 'client' });
  });
}

test.describe('toHaveMessage', () => {
  test('takes text, JSON, RegExp, bytes and asymmetric matchers', async ({ page, proxy }) => {
    await page.goto('/');
    await open(page, '/echo');
    const flow = await proxy.waitForWebSocket('/echo');
    const future = expect(flow).toHaveMessage({ type: 'order', items: [{ id: 1 }] }, { from: 'server' });
    await page.evaluate(`
      socket.send('hello');
      socket.send(JSON.stringify({ type: 'order', items: [{ id: 1, count: 2 }], at: 'noon' }));
      socket.send(new Uint8Array([1, 2, 3]));
    `);
    await future;
    for (const from of ['client', 'server'] as const) {
      await expect(flow).toHaveMessage('hello', { from, times: 1 });
      await expect(flow).toHaveMessage({ type: 'order' }, { from, times: 1 });
      await expect(flow).toHaveMessage(/"at":"noo/, { from, times: 1 });
      await expect(flow).toHaveMessage(Buffer.from([1, 2, 3]), { from, times: 1 });
      await expect(flow).toHaveMessage(expect.objectContaining({ at: expect.any(String) }), { from });
    }
    await expect(flow).toHaveMessage('hello', { times: 2 });
    await expect(flow).not.toHaveMessage('hell');
    await expect(flow).not.toHaveMessage({ type: 'order', items: [{ id: 2 }] });
    await expect(flow).not.toHaveMessage(Buffer.from([1, 2]));
  });

  test('that fails says what came, and the result carries it', async ({}, testInfo) => {
    test.setTimeout(60_000);
    const run = await runPlaywright(['websockets'], testInfo.outputPath('run'));
    expect(run.errors).toEqual([]);
    const { errors, locations, attachments } = run.of('expects another order');
    expect(errors).toEqual([
      expect.stringContaining(`Received: none of 2 messages from the client
Reason:   no such message came (waited 100 ms)

Messages that do not match:
  - client → server, text, 36 B: '{"type":"subscribe","symbol":"ACME"}'
      at type: "order" expected, "subscribe" received
  - client → server, text, 42 B: '{"type":"order","symbol":"ACME","count":1}'
      at count: 2 expected, 1 received
Flow: GET wss://app.test/prices → 101 (WebSocket: 2 messages up, 3 down,`),
    ]);
    expect(locations).toEqual(['websockets.inner.ts:8']);
    const path = attachments.find(({ name }) => name === 'flows.har')?.path ?? 'none';
    const { entries } = JSON.parse(readFileSync(path, 'utf8')).log;
    const messages = entries.at(-1)._webSocketMessages as { type: string; opcode: number; data: string }[];
    expect(messages.map(({ type, opcode, data }) => [type, opcode, JSON.parse(data).type])).toEqual([
      ['send', 1, 'subscribe'],
      ['receive', 1, 'subscribed'],
      ['receive', 1, 'price'],
      ['send', 1, 'order'],
      ['receive', 1, 'ordered'],
    ]);
    expect(run.of('forgets to await').errors).toEqual([
      expect.stringContaining('expect(flow).toHaveMessage("never") was not awaited: put "await" before it'),
    ]);
    expect(run.of('waits for a message that never comes').errors.join('\n')).toMatch(
      /waitForMessage\(\{ type: 'bought' \}\): the test ended while this was waiting\s+Messages:\s+- client → server/,
    );
  });
});
