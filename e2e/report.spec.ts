// The report page in a browser, of flows that a browser made.
import { summarize, toHtml } from 'sluice';
import { expect, test } from 'sluice/playwright';
import { ended, got, open } from './page-sockets.js';

test('finds messages and events, and shows a closed EventSource as no failure', async ({ page, proxy }) => {
  await page.goto('/');
  await open(page, '/echo?x');
  await page.evaluate("socket.send('a Needle in it'); socket.send('x'.repeat(500) + 'deep')");
  await got(page, 2);
  await page.evaluate("socket.close(4001, 'enough')");
  await ended(proxy, '**/echo?x');
  await page.evaluate(`new Promise((resolve) => {
    const source = new EventSource('/events?count=3&hold=${test.info().testId}');
    source.onmessage = () => resolve(source.close());
  })`);
  const { error } = await proxy.waitForError('/events**');
  expect(error.code).toBe('CLIENT_ABORTED');
  expect(summarize(proxy.flows)).toMatch(/\/events\S* +200 .* closed by the client$/m);

  const report = await page.context().newPage();
  await report.setContent(toHtml(proxy.flows));
  const rows = report.locator('tr.flow:visible');
  const filter = report.getByRole('searchbox');
  for (const [words, path] of [
    ['needle', '/echo'],
    ['DEEP', '/echo'],
    ['4001 enough', '/echo'],
    ['"tick":1', '/events'],
    ['stream -needle', '/events'],
  ] as const) {
    await filter.fill(words);
    await expect(rows).toHaveCount(1);
    await expect(rows).toContainText(path);
  }
  await rows.click();
  await expect(report.getByRole('heading', { name: /^Events/ })).toContainText('closed by the client');
  await expect(report.locator('.bad, .callout')).toHaveCount(0);
});
