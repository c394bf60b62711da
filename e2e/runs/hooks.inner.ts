import type { Page } from '@playwright/test';
import { expect, type RecordingProxy, test } from './hooks-test.js';

let shared: Page;
let recorder: RecordingProxy;
const groups: string[] = [];

test.beforeAll(async ({ browser, proxy }) => {
  shared = await browser.newPage();
  recorder = proxy;
  await shared.goto('https://app.test/');
  await expect(proxy).toHaveFlow({ host: 'app.test', path: '/' });
});

test.beforeEach(async ({ proxy }) => {
  groups.push(proxy.server);
});

test.afterEach(async ({ proxy }) => {
  expect(groups.at(-1)).toBe(proxy.server);
});

test.afterAll(async ({ request, proxy }) => {
  await request.get('/text?words=done');
  await expect(proxy).toHaveFlow('/text?words=done');
  await shared.close();
});

test('uses the page of beforeAll', async ({ proxy }) => {
  expect(recorder).not.toBe(proxy);
  await shared.evaluate("send('/api/first')");
  await expect(recorder).toHaveFlow('**/api/first');
  await expect(proxy).toHaveFlow('**', { times: 0 });
});

test('uses it once more, and a page of its own', async ({ page, proxy }) => {
  await shared.evaluate("send('/api/second')");
  await page.goto('/');
  await expect(recorder).toHaveFlow('**/api/second');
  await expect(proxy).toHaveFlow('/', { times: 1 });
});
