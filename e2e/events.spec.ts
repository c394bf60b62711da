// Server-sent events of Chromium's own EventSource, and other bodies without an end, through the proxy.
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, test } from 'sluice/playwright';

/** Opens an event stream in the page, with what comes of it in `seen`. */
async function open(page: Page, url: string): Promise<void> {
  await page.evaluate(`
    globalThis.seen = [];
    globalThis.source = new EventSource('${url}');
    source.onmessage = ({ data, lastEventId }) => seen.push(data + ' ' + lastEventId);
  `);
}

const release = (page: Page, id: string) => page.evaluate(`fetch('/release/${id}', { method: 'POST' })`);

for (const coding of ['', '&gzip=1']) {
  test(`each event is recorded by the time the page has it, while the stream is open ${coding}`, async ({
    page,
    proxy,
  }) => {
    const id = test.info().testId;
    await page.goto('/');
    await open(page, `/events?count=3&hold=${id}${coding}`);
    const { response, error } = await proxy.waitForResponse('/events**');
    for (let n = 1; n <= 3; n++) {
      // The origin sends the next when it is released, and not before.
      if (n > 1) await release(page, `${id}-${n}`);
      await page.waitForFunction(`seen.length >= ${n}`);
      expect(response.events?.map((event) => `${event.data} ${event.id}`)).toEqual(
        await page.evaluate<string[]>('seen'),
      );
      expect(response.events).toHaveLength(n);
      expect([response.complete, response.bodyStatus, error]).toEqual([false, 'streamed', undefined]);
    }
    await expect(response).toHaveEvent({ tick: 2 }, { times: 1 });
    await expect(response).not.toHaveEvent({ tick: 4 });
  });
}

test('waits and matchers see an event as it comes; a page that leaves ends them', async ({ page, proxy }) => {
  const id = test.info().testId;
  await page.goto('/');
  await open(page, `/events?count=3&hold=${id}`);
  const flow = await proxy.waitForResponse('/events**');
  const second = flow.response.waitForEvent({ tick: 2 });
  const third = expect(flow).toHaveEvent('{"tick":3}', { event: 'message' });
  await release(page, `${id}-2`);
  expect(await second).toMatchObject({ event: 'message', data: '{"tick":2}', id: '2' });
  await release(page, `${id}-3`);
  await third;
  const never = flow.response.waitForEvent({ tick: 4 });
  await page.evaluate('source.close()');
  await expect(never).rejects.toThrow(/CLIENT_ABORTED[\s\S]*message, id '3': '{"tick":3}'/);
});

test('a stream that ends is asked for again, from the last event on', async ({ page, proxy }) => {
  const lost = 'retry: 1\nid: 1\nevent: status\ndata: {"status":"lost"}\n\n';
  proxy.respond('/order/events', { contentType: 'text/event-stream', body: lost }, { times: 1 });
  await page.goto('/order');
  await expect(page.getByRole('status')).toHaveText('shipped');
  const first = await proxy.waitForFlow('/order/events');
  expect(first.response.events).toMatchObject([
    { event: 'status', data: '{"status":"lost"}', id: '1', retry: 1 },
  ]);
  const second = await proxy.waitForResponse('/order/events', { after: first });
  await expect(second.request).toHaveHeader('last-event-id', '1');
  expect(second.response.events?.map(({ id }) => id)).toEqual(['2', '3']);
});

test('events are in the HAR file', async ({ page, proxy }, testInfo) => {
  await page.goto('/order');
  await expect(page.getByRole('status')).toHaveText('shipped');
  await proxy.saveHar(testInfo.outputPath('flows.har'));
  const { entries } = JSON.parse(readFileSync(testInfo.outputPath('flows.har'), 'utf8')).log;
  const { _eventSourceMessages: messages, _resourceType: type } = entries.at(-1);
  expect(type).toBe('eventsource');
  expect(messages.map(({ eventName, eventId }: Record<string, string>) => `${eventName} ${eventId}`)).toEqual(
    ['status 1', 'status 2', 'status 3'],
  );
});

test.describe('multipart/x-mixed-replace', () => {
  test('an image is replaced while the response goes on', async ({ page, proxy }) => {
    const id = test.info().testId;
    await page.goto('/');
    await page.evaluate(`document.body.append(Object.assign(new Image(), { src: '/camera/${id}' }))`);
    const width = (pixels: number) => page.waitForFunction(`document.images[0].naturalWidth === ${pixels}`);
    await width(1);
    const { response } = await proxy.waitForResponse('/camera/*');
    expect([response.bodyStatus, response.complete]).toEqual(['streamed', false]);
    await release(page, id);
    await width(2);
    expect([response.complete, response.events]).toEqual([false, undefined]);
  });

  test('a reader gets the first part before the second is sent', async ({ page }) => {
    const id = test.info().testId;
    await page.goto('/');
    await page.evaluate(
      `(async () => {
      globalThis.parts = 0;
      const reader = (await fetch('/camera/${id}')).body.pipeThrough(new TextDecoderStream('latin1')).getReader();
      for (let text = ''; ; ) {
        text += (await reader.read()).value;
        parts = text.split('--frame').length - 2;
      }
    })()`.replace('(async', 'void (async'),
    );
    await page.waitForFunction('parts === 1');
    await release(page, id);
    await page.waitForFunction('parts === 2');
  });
});
