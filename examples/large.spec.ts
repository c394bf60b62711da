import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { HttpFlow } from 'sluice';
import { expect, test } from 'sluice/playwright';
import { streamOf } from '../e2e/bytes.js';

// `npm run demo` sets it to 1 GiB.
const SIZE = Number(process.env.SLUICE_LARGE_BYTES ?? 64 * 1024 * 1024);
/** What the process may grow by: buffers on the way and the garbage of a busy moment, whatever the body's size. */
const ROOM = 160 * 1024 * 1024;

test.describe('bodies larger than memory should be', () => {
  test.setTimeout(120_000);
  // One at a time, in a worker of its own: its memory is what is measured.
  test.describe.configure({ mode: 'default' });

  test('a large upload', async ({ page, proxy }, testInfo) => {
    proxy.stream('**/upload', { request: true });
    const file = testInfo.outputPath('upload.bin');
    await pipeline(streamOf(SIZE), createWriteStream(file));
    await page.goto('/');
    await page.getByLabel('File').setInputFiles(file);

    const began = proxy.waitForRequest('**/upload');
    const memory = watchMemory(began, (flow) => flow.request.transfer.received.bytes);
    await page.getByRole('button', { name: 'Upload' }).click();
    const flow = await proxy.waitForFlow('**/upload', { timeout: 100_000 });
    const growth = await memory.stop();

    await expect(flow.request).toBeStreamed();
    await expect(flow.request).toHaveArrivedIntact(file);
    await rm(file);
    testInfo.annotations.push({ type: 'memory growth', description: String(growth) });
    expect(growth).toBeLessThan(ROOM);
  });

  test('a large download', async ({ page, proxy }, testInfo) => {
    proxy.stream({ path: '/download' }, { response: true });
    await page.goto('/');

    const began = proxy.waitForResponse({ path: '/download' });
    const memory = watchMemory(began, (flow) => flow.response?.transfer.sent.bytes ?? 0);
    const saved = page.waitForEvent('download');
    await page.evaluate(`location.href = '/download?bytes=${SIZE}'`);
    const { response } = await proxy.waitForFlow({ path: '/download' }, { timeout: 100_000 });
    const growth = await memory.stop();

    await expect(response).toBeStreamed();
    await expect(response).toHaveArrivedIntact(streamOf(SIZE));
    expect(await (await saved).failure()).toBeNull();
    await (await saved).delete();
    testInfo.annotations.push({ type: 'memory growth', description: String(growth) });
    expect(growth).toBeLessThan(ROOM);
  });
});

/** Follows a transfer: how far it has come, and by how much this process, in which the proxy runs, has grown. */
function watchMemory(began: Promise<HttpFlow>, bytes: (flow: HttpFlow) => number) {
  const before = process.memoryUsage.rss();
  let peak = before;
  let flow: HttpFlow | undefined;
  let said = Date.now();
  const following = began.then((it) => {
    flow = it;
  });
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
    if (flow === undefined || Date.now() - said < 1000) return;
    said = Date.now();
    const percent = Math.floor((100 * bytes(flow)) / SIZE);
    console.log(`${flow.request.method} ${new URL(flow.request.url).pathname} ${percent} %`);
  }, 50);
  return {
    async stop(): Promise<number> {
      clearInterval(timer);
      await following;
      return Math.max(peak, process.memoryUsage.rss()) - before;
    },
  };
}
