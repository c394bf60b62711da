import { expect, test } from 'sluice/playwright';

test('sees a forbidden flow', async ({ page, proxy }) => {
  proxy.forbid('**/api/tracking');
  await page.goto('/');
  await page.evaluate("send('/api/tracking')");
});

test('sees no forbidden flow', async ({ page, proxy }) => {
  proxy.forbid('**/api/tracking');
  await page.goto('/');
});

test('has a hook that throws', async ({ request, proxy }) => {
  proxy.on('requestHeaders', function myOwnHook() {
    throw new TypeError('my hook is wrong');
  });
  expect((await request.get('/')).status()).toBe(502);
});

test('has a transform that throws', async ({ request, proxy }) => {
  proxy.stream('**', {
    // biome-ignore lint/correctness/useYield: it does not get that far
    response: async function* myOwnTransform() {
      throw new RangeError('my transform is wrong');
    },
  });
  await request.get('/').catch(() => undefined);
});

test('has two problems', async ({ request, proxy }) => {
  proxy.forbid('**');
  proxy.on('request', () => {
    throw new Error('my other hook is wrong');
  });
  await request.get('/').catch(() => undefined);
});
