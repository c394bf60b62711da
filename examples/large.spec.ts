import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'sluice/playwright';
import { streamOf } from '../e2e/bytes.js';

// `npm run demo` sets it to 1 GiB.
const SIZE = Number(process.env.SLUICE_LARGE_BYTES ?? 256 * 1024 * 1024);
/** What the process may grow by, whatever the body's size: buffers on the way, and the garbage of a busy moment. */
const ROOM = 128 * 1024 * 1024;

test.describe('bodies larger than memory should be', () => {
  test.setTimeout(120_000);
  // One after the other: the memory of their process is what is measured.
  test.describe.configure({ mode: 'default' });

  test('a large upload', async ({ page, proxy }, testInfo) => {
    proxy.stream('**/upload', { request: true });
    const file = testInfo.outputPath('upload.bin');
    await pipeline(streamOf(SIZE), createWriteStream(file));
    await page.goto('/');
    await page.getByLabel('File').setInputFiles(file);

    const memory = watchMemory('upload', () => proxy.flows.last?.request.transfer.received.bytes);
    await page.getByRole('button', { name: 'Upload' }).click();
    const flow = await proxy.waitForFlow('**/upload', { timeout: 100_000 });
    const growth = memory.stop();

    await expect(flow.request).toBeStreamed();
    await expect(flow.request).toHaveArrivedIntact(file);
    await rm(file);
    testInfo.annotations.push({ type: 'memory', description: memory.said });
    expect(growth).toBeLessThan(ROOM);
  });

  test('a large download', async ({ page, proxy }, testInfo) => {
    proxy.stream({ path: '/download' }, { response: true });
    await page.goto('/');

    const memory = watchMemory('download', () => proxy.flows.last?.response?.transfer.sent.bytes);
    const saved = page.waitForEvent('download');
    await page.evaluate(`location.href = '/download?bytes=${SIZE}'`);
    const { response } = await proxy.waitForFlow({ path: '/download' }, { timeout: 100_000 });
    const growth = memory.stop();

    await expect(response).toBeStreamed();
    await expect(response).toHaveArrivedIntact(streamOf(SIZE));
    expect(await (await saved).failure()).toBeNull();
    await (await saved).delete();
    testInfo.annotations.push({ type: 'memory', description: memory.said });
    expect(growth).toBeLessThan(ROOM);
  });
});

/** Follows a transfer: how far it has come, and by how much this process, in which the proxy runs, has grown. */
function watchMemory(what: string, bytes: () => number | undefined) {
  const before = process.memoryUsage.rss();
  let peak = before;
  let told = Date.now();
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
    if (Date.now() - told < 1000) return;
    told = Date.now();
    console.log(`${what} ${Math.floor((100 * (bytes() ?? 0)) / SIZE)} %`);
  };
  const timer = setInterval(look, 50);
  return {
    /** @returns the growth in bytes */
    stop(): number {
      clearInterval(timer);
      peak = Math.max(peak, process.memoryUsage.rss());
      return peak - before;
    },
    get said(): string {
      const [from, to] = [before, peak].map((size) => Math.round(size / 1024 ** 2));
      return `${from} → ${to} MiB`;
    },
  };
}
