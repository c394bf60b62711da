import { expect, test } from 'sluice/playwright';

const PRICE = { type: 'price', symbol: 'ACME', price: 12.5 };

test('what a page sends and gets by WebSocket is on the record', async ({ page, proxy }) => {
  await page.goto('/market');
  const socket = await proxy.waitForWebSocket('/prices');
  await expect(socket).toHaveMessage({ type: 'subscribe', symbol: 'ACME' }, { from: 'client', times: 1 });
  await expect(socket).toHaveMessage({ type: 'price', price: expect.any(Number) }, { from: 'server' });
  await expect(page.getByRole('heading')).toHaveText('ACME: 12.50');

  await page.getByRole('button', { name: 'Buy one' }).click();
  const order = await socket.websocket.waitForMessage({ type: 'order' }, { from: 'client' });
  expect(order.json()).toEqual({ type: 'order', symbol: 'ACME', count: 1 });
  await expect(page.getByRole('status')).toHaveText('Bought 1 ACME');
});

test('a page says so when the server sends nonsense', async ({ page, proxy }) => {
  proxy.on('websocketMessage', (_flow, message) => {
    if (message.json<{ type: string }>().type !== 'price') return;
    message.data = JSON.stringify({ ...PRICE, price: null });
  });
  await page.goto('/market');
  await expect(page.getByRole('alert')).toHaveText('The market sent something that makes no sense');
});

test('a page shows a price that only the test has sent', async ({ page, proxy }) => {
  await page.goto('/market');
  await expect(page.getByRole('heading')).toHaveText('ACME: 12.50');
  const { websocket } = await proxy.waitForWebSocket('/prices');
  websocket.send('client', JSON.stringify({ ...PRICE, price: 99 }));
  await expect(page.getByRole('heading')).toHaveText('ACME: 99.00');
});

test('an order that is lost on its way is not shown as bought', async ({ page, proxy }) => {
  proxy.on('websocketMessage', (_flow, message) => {
    if (message.json<{ type: string }>().type === 'order') message.drop();
  });
  await page.goto('/market');
  await page.getByRole('button', { name: 'Buy one' }).click();

  const { websocket } = await proxy.waitForWebSocket('/prices');
  const order = await websocket.waitForMessage({ type: 'order' });
  expect(order.dropped).toBe(true);
  await expect(page.getByRole('status')).toHaveText('Buying');
});
