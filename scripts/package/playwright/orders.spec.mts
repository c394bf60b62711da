// Without a browser: `request` goes through the proxy as pages do.
import { expect, test } from 'sluice/playwright';

test('a large download passes unrecorded', async ({ proxy, request }) => {
  expect((await (await request.get('/big')).body()).length).toBe(1_000_000);
  await expect(proxy.flows.last?.response).toBeStreamed();
});

test('a failure says what was recorded instead', async ({ proxy, request }) => {
  await expect(await request.get('/orders')).toBeOK();
  await expect(expect(proxy).toHaveFlow('/order', { timeout: 10 })).rejects.toThrow(/GET .*\/orders/);
});
