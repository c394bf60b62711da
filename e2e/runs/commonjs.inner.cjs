const { isRecordingProxy } = require('sluice');
const { expect, recorderOf, test } = require('sluice/playwright');

test('works as CommonJS', async ({ page, proxy }) => {
  await page.goto('/');
  await expect(recorderOf(proxy)).toHaveFlow('/', { times: 1 });
  expect(isRecordingProxy(proxy)).toBe(true);
});
