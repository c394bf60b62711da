// What a page sends in one large message: whether it is held, what is stored of it, and that it arrives.
import { createHash, randomUUID } from 'node:crypto';
import type { Page } from '@playwright/test';
import type { RecordingProxy } from 'sluice';
import { expect, test } from 'sluice/playwright';
import { bytesOf } from './bytes.js';
import { got, open, told } from './page-sockets.js';

const SIZE = 64 * 1024 * 1024;
/** Enough for all of it, also on a busy machine. */
const LONG = { timeout: 60_000 };

test.setTimeout(120_000);

function sha256Of(size: number): string {
  return createHash('sha256').update(bytesOf(size)).digest('hex');
}

/** Sends it in one message, and waits until the server, which then reads no more, has its first octets. */
async function upload(page: Page, proxy: RecordingProxy, size: number, as: 'blob' | 'arrayBuffer') {
  proxy.stream({ path: '/download' });
  await page.goto('/');
  // The origin is that of the whole run, and lets each go on once.
  const id = randomUUID();
  await open(page, `/sink?hold=${id}`);
  await page.evaluate(`fetch('/download?bytes=${size}')
    .then((response) => response.${as}())
    .then((file) => socket.send(file))`);
  expect(await got(page, 1)).toEqual(['begun']);
  const flow = await proxy.waitForWebSocket('**/sink**');
  return { flow, goOn: () => page.evaluate(`fetch('/release/${id}', { method: 'POST' })`) };
}

test.describe('streamed', () => {
  test.use({ proxyOptions: { streamWebsockets: true } });

  test('64 MiB go out while they come in, and are stored', async ({ page, proxy }) => {
    const { flow, goOn } = await upload(page, proxy, SIZE, 'blob');
    // The server has the first octets, and the proxy has not seen the last ones: 64 MiB don't fit into what is between.
    expect(told(flow)).toEqual(['server text begun']);
    await goOn();

    const answer = await flow.websocket.waitForMessage({ bytes: SIZE }, { from: 'server', ...LONG });
    expect(answer.json()).toEqual({ bytes: SIZE, sha256: sha256Of(SIZE) });
    const message = await flow.websocket.waitForMessage(bytesOf(SIZE), { from: 'client' });
    expect(message).toMatchObject({ type: 'binary', size: SIZE, truncated: false });
    // In how many frames is up to the browser.
    expect(message.fragments.reduce((sum, size) => sum + size, 0)).toBe(SIZE);
  });
});

test.describe('streamed, with a limit on what is stored', () => {
  test.use({ proxyOptions: { streamWebsockets: true, maxStoredMessageSize: '1m' } });

  test('64 MiB arrive, and their beginning is stored', async ({ page, proxy }) => {
    const { flow, goOn } = await upload(page, proxy, SIZE, 'arrayBuffer');
    expect(told(flow)).toEqual(['server text begun']);
    await goOn();

    const answer = await flow.websocket.waitForMessage({ bytes: SIZE }, { from: 'server', ...LONG });
    expect(answer.json()).toEqual({ bytes: SIZE, sha256: sha256Of(SIZE) });
    const message = await flow.websocket.waitForMessage(() => true, { from: 'client' });
    expect(message).toMatchObject({ type: 'binary', size: SIZE, truncated: true });
    expect(message.data.equals(bytesOf(1024 * 1024))).toBe(true);
    expect(message.fragments.reduce((sum, size) => sum + size, 0)).toBe(SIZE);
  });
});

test('held back, a message is recorded before the server has any of it', async ({ page, proxy }) => {
  const size = 4 * 1024 * 1024;
  const { flow, goOn } = await upload(page, proxy, size, 'blob');
  expect(flow.websocket.messages.map(({ from }) => from)).toEqual(['client', 'server']);
  expect(flow.websocket.messages[0]?.data.equals(bytesOf(size))).toBe(true);
  await goOn();
  await expect(flow).toHaveMessage({ bytes: size, sha256: sha256Of(size) }, { from: 'server' });
});
