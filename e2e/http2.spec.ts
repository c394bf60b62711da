// Chromium over HTTP/2, to an origin that speaks both versions over TLS (e2e/secure-origin.ts).
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { test as base, expect } from 'sluice/playwright';
import { bytesOf } from './bytes.js';
import { type SecureOrigin, startSecureOrigin } from './secure-origin.js';

const NAME = 'app.test';
const MIB = 1024 * 1024;

const test = base.extend<{ speaks: 'h1' | 'both'; http2: boolean; origin: SecureOrigin }>({
  speaks: ['both', { option: true }],
  http2: [true, { option: true }],
  origin: async ({ speaks }, use) => {
    const origin = await startSecureOrigin(NAME, speaks);
    await use(origin);
    await origin.close();
  },
  proxyOptions: async ({ origin, http2 }, use) => {
    await use({ hosts: { [NAME]: origin.url }, upstreamCa: origin.ca, http2 });
  },
});

/** By which protocol the page, and what it fetched, came: as the browser saw it. */
function protocols(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const entries = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type));
    return [...new Set(entries.map((entry) => (entry as PerformanceResourceTiming).nextHopProtocol))];
  });
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('a page has twenty requests in flight at once, on one connection', async ({ page, proxy, origin }) => {
  await page.goto('/');
  // The origin answers none of them before all are there: with HTTP/1.1's six connections it never would.
  const paths = Array.from({ length: 20 }, (_, i) => `/together/20/${i}`);
  const texts = await page.evaluate(
    (wanted) => Promise.all(wanted.map(async (path) => (await fetch(path)).text())),
    paths,
  );
  expect(texts).toEqual(paths);
  expect(await protocols(page)).toEqual(['h2']);

  await proxy.idle();
  const flows = proxy.flows.filter(({ request }) => request.path.startsWith('/together/'));
  expect(flows).toHaveLength(20);
  for (const { request, response } of proxy.flows) {
    expect([request.httpVersion, response?.httpVersion, response?.status]).toEqual(['2.0', '2.0', 200]);
  }
  expect(new Set(flows.map(({ client }) => client.id)).size).toBe(1);
  expect(flows.map(({ server }) => server?.reused)).toEqual(paths.map(() => true));
  // The connection that told what is spoken is the one that is used.
  expect(origin.http2Connections).toBe(1);
});

test('64 MiB, down and up, streamed and intact', async ({ page, proxy }, testInfo) => {
  const content = bytesOf(64 * MIB);
  const file = testInfo.outputPath('large.bin');
  writeFileSync(file, content);
  proxy.stream('**/{download,upload}**', true);
  await page.goto('/');

  const digest = await page.evaluate(async (bytes) => {
    const body = await (await fetch(`/download?bytes=${bytes}`)).arrayBuffer();
    const octets = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
    return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  }, content.length);
  expect(digest).toBe(sha256(content));

  await page.locator('input').setInputFiles(file);
  const told = await page.evaluate(async () => {
    const [body] = document.querySelector('input')?.files ?? [];
    return (await fetch('/upload', { method: 'POST', body: body ?? null })).json();
  });
  expect(told).toEqual({ bytes: content.length, sha256: sha256(content) });
  expect(await protocols(page)).toEqual(['h2']);

  const down = await proxy.waitForFlow('**/download**');
  const up = await proxy.waitForFlow('**/upload');
  for (const message of [down.response, up.request]) {
    await expect(message).toBeStreamed();
    // Not the buffer itself: Playwright writes an argument of 64 MiB into its report, for half a minute.
    await expect(message).toHaveArrivedIntact(file);
    await expect(message).toHavePiecesOf(4096);
  }
});

test('a stream that is reset in its body fails alone', async ({ page, proxy, origin }) => {
  proxy.stream('**', true);
  await page.goto('/');
  const outcomes = page.evaluate(async () => {
    const read = async (path: string) => {
      try {
        return await (await fetch(path)).text();
      } catch (error) {
        return `failed: ${(error as Error).name}`;
      }
    };
    return Promise.all(['/held/1', '/held/2', '/reset', '/held/3', '/held/4'].map(read));
  });
  const reached = async (path: string, bytes: number) => {
    const { response } = await proxy.waitForResponse({ path });
    await expect.poll(() => response.transfer.sent.bytes).toBe(bytes);
  };
  await reached('/reset', 100_000);
  for (const path of ['/held/1', '/held/2', '/held/3', '/held/4']) await reached(path, 5);
  origin.release();
  expect(await outcomes).toEqual(['firstlast', 'firstlast', 'failed: TypeError', 'firstlast', 'firstlast']);

  const reset = await proxy.waitForError({ path: '/reset' });
  expect(reset.error).toMatchObject({
    code: 'ORIGIN_CLOSED',
    message: expect.stringContaining('INTERNAL_ERROR (2)'),
  });
  expect(reset.response?.transfer.sent.bytes).toBe(100_000);
  // The connection goes on.
  expect(await page.evaluate("fetch('/together/1/x').then((response) => response.text())")).toBe(
    '/together/1/x',
  );
  expect(new Set(proxy.flows.map(({ client }) => client.id)).size).toBe(1);
});

test('events and a service worker come by it, and a WebSocket beside it', async ({ page, proxy, origin }) => {
  await page.goto('/');
  await page.evaluate(() => {
    const output = document.querySelector('output') as HTMLOutputElement;
    const events = new EventSource('/events');
    for (const type of ['message', 'other']) {
      events.addEventListener(type, (event) => {
        output.textContent += `${type} ${(event as MessageEvent).data}; `;
      });
    }
  });
  await expect(page.locator('output')).toHaveText('message one; other two;');
  origin.release();
  await expect(page.locator('output')).toHaveText('message one; other two; message three;');
  await expect((await proxy.waitForResponse('/events')).response).toHaveHeader(
    'content-type',
    'text/event-stream',
  );

  const echoed = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const socket = new WebSocket('wss://app.test/echo');
        socket.onopen = () => socket.send('hello');
        socket.onmessage = ({ data }) => resolve(data);
        socket.onclose = () => resolve('closed');
      }),
  );
  expect(echoed).toBe('hello');
  const socket = await proxy.waitForWebSocket('wss://app.test/echo');
  expect([socket.request.httpVersion, socket.response.httpVersion]).toEqual(['1.1', '1.1']);
  expect(socket.websocket.messages.map((message) => message.text())).toEqual(['hello', 'hello']);

  await page.goto('/worker');
  await expect(page.locator('output')).toHaveText('worker over 2.0');
  const { request } = await proxy.waitForFlow('/api/worker');
  expect(request.httpVersion).toBe('2.0');
});

test.describe('HTTP/1.1 stays what it is', () => {
  test.describe('at an origin that speaks nothing else', () => {
    test.use({ speaks: 'h1' });

    test('for its page', async ({ page, proxy }) => {
      await page.goto('/');
      await page.evaluate("fetch('/together/1/x').then((response) => response.text())");
      expect(await protocols(page)).toEqual(['http/1.1']);
      expect(proxy.flows.map(({ request }) => request.httpVersion)).toEqual(['1.1', '1.1']);
    });
  });

  test.describe('with http2: false', () => {
    test.use({ http2: false });

    test('on both sides', async ({ page, proxy, origin }) => {
      await page.goto('/');
      await page.evaluate("fetch('/together/1/x').then((response) => response.text())");
      expect(await protocols(page)).toEqual(['http/1.1']);
      const versions = proxy.flows.map(({ request, response }) => [
        request.httpVersion,
        response?.httpVersion,
      ]);
      expect(versions).toEqual([
        ['1.1', '1.1'],
        ['1.1', '1.1'],
      ]);
      expect(origin.http2Connections).toBe(0);
    });
  });
});
