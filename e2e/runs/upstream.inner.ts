import { expect, test } from 'sluice/playwright';

test('goes through the proxy of the config', async ({ page, proxy }) => {
  await page.goto(`${process.env.RUN_ORIGIN}/text?words=chained`);
  const flow = await proxy.waitForFlow('**/text?words=chained');
  expect(`http://${flow.server?.via}`).toBe(process.env.RUN_UPSTREAM);
});
