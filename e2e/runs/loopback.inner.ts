import { expect, test } from 'sluice/playwright';

test('opens a page past the proxy', async ({ page, proxy }) => {
  await page.goto(`${process.env.RUN_ORIGIN}/text?words=direct`);
  expect(proxy.flows.length).toBe(0);
});
