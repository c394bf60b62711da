import { expect, test } from 'sluice/playwright';

test('expects another order', async ({ page, proxy }) => {
  await page.goto('/market');
  await page.getByRole('button', { name: 'Buy one' }).click();
  const socket = await proxy.waitForWebSocket('/prices');
  await expect(page.getByRole('status')).toHaveText('Bought 1 ACME');
  await expect(socket).toHaveMessage({ type: 'order', count: 2 }, { from: 'client', timeout: 100 });
});

test('forgets to await', async ({ page, proxy }) => {
  await page.goto('/market');
  const socket = await proxy.waitForWebSocket('/prices');
  expect(socket).toHaveMessage('never');
});

test('waits for a message that never comes', async ({ page, proxy }) => {
  await page.goto('/market');
  const { websocket } = await proxy.waitForWebSocket('/prices');
  await websocket.waitForMessage({ type: 'price' });
  const waiting = websocket.waitForMessage({ type: 'bought' });
  // The test's time is over.
  test.setTimeout(1);
  await waiting;
});
