import { expect, test } from 'sluice/playwright';

test('what a page sends to its API is on the record', async ({ page, proxy }) => {
  await page.goto('/');
  await page.evaluate(`
    send('/api/orders?status=201', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ article: 4711, count: 2 }),
    })
  `);

  const flow = await proxy.waitForFlow({ method: 'POST', path: '/api/orders' });
  await expect(flow).toHaveStatus(201);
  await expect(flow.request).toHaveJson({ article: 4711, count: expect.any(Number) });
  await expect(flow.request).toHaveHeader('content-type', 'application/json');
  await expect(flow.response).toHaveHeader('content-type');
  await expect(proxy).not.toHaveFlow({ error: true });
});

test('a call that the API would refuse is answered by the test', async ({ page, proxy }) => {
  proxy.respond({ method: 'POST', path: '/api/orders' }, { status: 507, json: { reason: 'no space left' } });
  await page.goto('/');
  await page.evaluate("send('https://api.test/api/orders', { method: 'POST', body: '{}' })");
  await expect(page.locator('output')).toHaveText('{"reason":"no space left"}');
});

test('a request of a service worker is on the record', async ({ page, proxy }) => {
  await page.goto('/worker');
  await expect(page.locator('output')).toContainText('/api/worker');
  await expect(proxy).toHaveFlow({ path: '/api/worker', status: 200 });
});
