import { expect, test } from 'sluice/playwright';
import { bytesOf } from '../e2e/bytes.js';

test('a download is streamed in pieces of 4096 bytes', async ({ page, proxy }) => {
  proxy.stream({ path: '/download' }, { response: true });

  await page.goto('/');
  const saved = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download the report' }).click();
  expect((await saved).suggestedFilename()).toBe('report.bin');

  const { response } = await proxy.waitForFlow({ path: '/download' });
  await expect(response).toBeStreamed();
  await expect(response).toHavePieces([4096, 4096, 1808]);
  await expect(response).toHaveArrivedIntact(bytesOf(10_000));
});

test('a chunked download keeps its chunks', async ({ page, proxy }) => {
  proxy.stream('**/chunked**');
  await page.goto('/');
  await page.evaluate("send('/chunked?sizes=5,4096,70000,1')");

  const { response } = await proxy.waitForFlow('**/chunked**');
  await expect(response).toBeStreamed();
  await expect(response).toHavePieces([5, 4096, 70_000, 1]);
});

test('a gzipped download is intact by its content', async ({ page, proxy }) => {
  proxy.stream({ path: '/download' }, { response: true });
  await page.goto('/');
  await page.evaluate("send('/download?bytes=50000&gzip=1')");

  const { response } = await proxy.waitForFlow({ path: '/download' });
  await expect(response).toBeStreamed();
  await expect(response).toHaveArrivedIntact(bytesOf(50_000));
});

test('the parts of a resumed download cover the file', async ({ page, proxy }) => {
  proxy.stream({ path: '/download' }, { response: true });
  await page.goto('/');
  for (const range of ['bytes=0-3999', 'bytes=4000-']) {
    await page.evaluate(`send('/download?bytes=10000', { headers: { Range: '${range}' } })`);
  }

  await expect(proxy).toHaveFlow({ path: '/download', status: 206 }, { times: 2 });
  const parts = proxy.flows.filter((flow) => flow.response?.status === 206).map((flow) => flow.response);
  await expect(parts).toHaveArrivedIntact(bytesOf(10_000));
});
