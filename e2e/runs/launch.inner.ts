import { expect, test } from 'sluice/playwright';

test('keeps the arguments of the config', async ({ page }) => {
  await page.goto('/worker');
  // A service worker registers only if the recorder is trusted by its key.
  await expect(page.locator('output')).toContainText('/api/worker');
  expect(await page.evaluate('navigator.userAgent')).toBe('mine');
});
