import { test as base, defineConfig } from '@playwright/test';
import { expect, recorderOf, recording, type SluiceOptions, test } from 'sluice/playwright';

export default defineConfig<SluiceOptions>({ use: { proxyOptions: { streamLargeBodies: '3m' } } });

test('with the test of the package', async ({ page, proxy }) => {
  await expect(proxy).toHaveFlow({ path: '/', status: 200 });
  await expect(page).toHaveTitle('');
  // @ts-expect-error: there is no such matcher
  await expect(proxy).toHaveFlows({ path: '/' });
});

base.use(recording({ streamLargeBodies: '3m' }));
base('with a test of its own', async ({ proxy }) => {
  await expect(recorderOf(proxy).flows.last?.response).not.toBeStreamed();
});
