import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'sluice/playwright';
import { processCa } from '../../src/tls/ca.js';

// Signed by a CA that nobody but the recorder's clients trusts.
const server = https.createServer(processCa().credentialsFor('localhost'), (_request, response) =>
  response.end('in'),
);
let url: string;

test.beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}/`;
});

test.afterAll(() => server.close());

test('verifies origins', async ({ page, proxy }) => {
  await expect(page.goto(url)).rejects.toThrow('net::');
  await expect(proxy).toHaveFlow({ error: 'ORIGIN_TLS' });
});

test.describe('without a proxy', () => {
  test.use({ proxy: undefined });

  test('goes without', async ({ page, proxy, ignoreHTTPSErrors }) => {
    expect(proxy).toBeUndefined();
    expect(ignoreHTTPSErrors).toBe(true);
    await page.goto(url);
    await expect(page.locator('body')).toHaveText('in');
  });
});

test.describe('ignoreHTTPSErrors', () => {
  test.use({ ignoreHTTPSErrors: true });

  test('is the user’s wish to trust origins', async ({ page, request }) => {
    await page.goto(url);
    await expect(page.locator('body')).toHaveText('in');
    expect(await (await request.get(url)).text()).toBe('in');
  });
});
