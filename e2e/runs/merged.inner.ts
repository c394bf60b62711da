import { test as base, expect as baseExpect, mergeExpects, mergeTests } from '@playwright/test';
import { recording, expect as sluiceExpect, test as sluiceTest } from 'sluice/playwright';

const userTest = base.extend<{ greeting: string }>({ greeting: async ({}, use) => use('hello') });
const userExpect = baseExpect.extend({
  toGreet: (greeting: string) => ({
    pass: greeting === 'hello',
    message: () => `${greeting} does not greet`,
  }),
});

const orders = [
  {
    name: 'user first',
    test: mergeTests(userTest, sluiceTest),
    expect: mergeExpects(userExpect, sluiceExpect),
  },
  {
    name: 'sluice first',
    test: mergeTests(sluiceTest, userTest),
    expect: mergeExpects(sluiceExpect, userExpect),
  },
];

for (const { name, test, expect } of orders) {
  test(`merged, ${name}`, async ({ page, proxy, greeting }) => {
    await page.goto('/');
    expect(greeting).toGreet();
    await expect(proxy).toHaveFlow('/', { times: 1 });
    const flow = await proxy.waitForFlow('/');
    await expect(flow.response).toHaveStatus(200);
  });
}

const extended = sluiceTest.extend({
  proxy: async ({ proxy }, use) => {
    proxy.respond('**/api/hello', { json: 'from a fixture' });
    await use(proxy);
  },
});

extended.describe('recording() inside of it', () => {
  extended.use(recording({ streamLargeBodies: 100 }));

  extended('reuses the outer recorder, with its rules', async ({ page, proxy }) => {
    await page.goto('/');
    await page.evaluate("send('/api/hello')");
    await sluiceExpect(page.locator('output')).toHaveText('"from a fixture"');
    const flow = await proxy.waitForFlow('/');
    await sluiceExpect(flow.response).toBeStreamed();
  });
});
