import { expect, test } from 'sluice/playwright';

test('the events that a page gets are on the record while they come', async ({ page, proxy }) => {
  await page.goto('/order');
  const { response } = await proxy.waitForResponse('/order/events');

  await expect(response).toHaveEvent({ status: 'received' }, { event: 'status' });
  const shipped = await response.waitForEvent({ status: 'shipped' });
  expect(shipped).toMatchObject({ event: 'status', id: '3' });
  await expect(page.getByRole('status')).toHaveText('shipped');

  await expect(response).toHaveEvent(/status/, { times: 3 });
  // The stream has no end, and nobody waits for one.
  expect(response.complete).toBe(false);
});

test('a page shows an event that only the test has sent', async ({ page, proxy }) => {
  let deliver: () => void = () => undefined;
  const delivered = new Promise<void>((resolve) => {
    deliver = resolve;
  });
  async function* events() {
    yield 'event: status\ndata: {"status":"on its way"}\n\n';
    await delivered;
    yield 'event: status\ndata: {"status":"at your door"}\n\n';
  }
  proxy.respond('/order/events', { contentType: 'text/event-stream', body: events() });

  await page.goto('/order');
  await expect(page.getByRole('status')).toHaveText('on its way');
  deliver();
  await expect(page.getByRole('status')).toHaveText('at your door');
  await expect(await proxy.waitForResponse('/order/events')).toHaveEvent({ status: 'at your door' });
});

test('a page that lost its events asks for the rest of them', async ({ page, proxy }) => {
  const received = 'retry: 10\nid: 1\nevent: status\ndata: {"status":"received"}\n\n';
  proxy.respond('/order/events', { contentType: 'text/event-stream', body: received }, { times: 1 });

  await page.goto('/order');
  const again = await proxy.waitForRequest({ path: '/order/events', headers: { 'Last-Event-ID': '1' } });
  await expect(page.getByRole('status')).toHaveText('shipped');
  await expect(again).not.toHaveEvent({ status: 'received' });
});

test('an event is changed on its way', async ({ page, proxy }) => {
  proxy.stream('/order/events', {
    response: async function* (pieces) {
      for await (const piece of pieces) yield piece.toString().replace('shipped', 'returned');
    },
  });
  await page.goto('/order');
  await expect(page.getByRole('status')).toHaveText('returned');
  // The record has what was sent to the page.
  const { response } = await proxy.waitForResponse('/order/events');
  await expect(response).not.toHaveEvent({ status: 'shipped' });
});
