import { expect, test } from 'sluice/playwright';

test('forgets to await', async ({ proxy }) => {
  expect(proxy).toHaveFlow('**/never');
});

test('forgets to await, with a page', async ({ page, proxy }) => {
  await page.goto('/');
  expect(proxy).not.toHaveFlow('**/never', { stableFor: 8000 });
});

test('forgets to await a wait', async ({ proxy }) => {
  proxy.waitForFlow('**/never');
});

test('leaves a wait that lost a race', async ({ page, proxy }) => {
  const either = Promise.race([proxy.waitForFlow('**/never'), proxy.waitForFlow('/')]);
  await page.goto('/');
  await either;
});

test('comes next', async ({ page, proxy }) => {
  await page.goto('/');
  await expect(proxy).toHaveFlow('/');
});

test('fails before the rest of its waiting is over', async ({ proxy }) => {
  await Promise.all([expect(proxy).toHaveFlow('**/never'), expect(1).toBe(2)]);
});
