import { decoded } from 'sluice';
import { expect, test } from 'sluice/playwright';
import * as stream from './stream.js';
import * as streamModify from './stream-modify.js';
import { replaceWord } from './stream-modify.js';

test('an addon streams every response', async ({ page, proxy }) => {
  proxy.use(stream);
  await page.goto('/');
  await expect((await proxy.waitForFlow('/')).response).toBeStreamed();
});

test('an addon changes a word in flight, also where it is split over two chunks', async ({ page, proxy }) => {
  proxy.use(streamModify);
  await page.goto('/');
  await page.evaluate("send('/text?words=one foo, two foo&cut=5')");

  await expect(page.locator('output')).toHaveText('one bar, two bar');
  const { response } = await proxy.waitForFlow({ path: '/text' });
  expect(response.transfer.received.pieces.sizes()).toEqual([5, 5, 5, 1]);
});

test('a rule changes a word in a gzipped response', async ({ page, proxy }) => {
  proxy.stream({ path: '/text' }, { response: decoded(replaceWord('price: 10', 'price: 1000000')) });
  await page.goto('/');
  await page.evaluate("send('/text?words=price: 10&gzip=1')");
  await expect(page.locator('output')).toHaveText('price: 1000000');
});

test('an upload is changed before it reaches the server', async ({ page, proxy }) => {
  proxy.stream('**/upload', { request: replaceWord('secret', '******') });
  await page.goto('/');
  await page.evaluate("send('/upload', { method: 'POST', body: 'a secret' })");

  const { request, response } = await proxy.waitForFlow('**/upload');
  expect(request.transfer.sent.sha256).toBe(response.json<{ sha256: string }>().sha256);
  expect(request.transfer.sent.sha256).not.toBe(request.transfer.received.sha256);
});
