import { expect, test } from 'sluice/playwright';

/** Lets the test's time be over, now that everything is as it should be then. */
function timeIsOver() {
  test.setTimeout(1);
}

test('waits for a flow that never comes', async ({ page, proxy }) => {
  await page.goto('/');
  const waiting = proxy.waitForFlow('**/never');
  timeIsOver();
  await waiting;
});

test('waits for a flow that never ends', async ({ page, proxy }) => {
  await page.goto('/');
  await page.evaluate("void fetch('/held/never')");
  const waiting = proxy.waitForFlow('**/held/never');
  await proxy.waitForRequest('**/held/never');
  timeIsOver();
  await waiting;
});

test('has a matcher that waits', async ({ page, proxy }) => {
  await page.goto('/');
  const waiting = expect(proxy).toHaveFlow({ method: 'POST', path: '/' });
  timeIsOver();
  await waiting;
});

test('does not wait in vain', async ({ page, proxy }) => {
  await page.goto('/');
  // Somebody hears of this one, and nobody needs it.
  const unused = proxy.waitForFlow('**/never').catch(() => undefined);
  await proxy.waitForFlow('/');
  expect(unused).toBeInstanceOf(Promise);
});
