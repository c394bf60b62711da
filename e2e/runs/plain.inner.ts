import { expect as baseExpect, test } from '@playwright/test';
import { isRecordingProxy } from 'sluice';
import { expect, proxy as recorder, recorderOf, recording, recordingProxy } from 'sluice/playwright';

const hosts = { '*.test': `http://127.0.0.1:${process.env.ORIGIN_PORT}` };

test.describe('recording()', () => {
  test.use(recording({ hosts }));

  test('records in a plain test', async ({ page, proxy }) => {
    await page.goto('https://app.test/');
    await expect(recorderOf(proxy)).toHaveFlow({ host: 'app.test', status: 200 });
  });

  test.describe('nested', () => {
    test.use(recording({ streamLargeBodies: 100 }));

    test('is one recorder, with the options of both', async ({ page, proxy }) => {
      await page.goto('https://app.test/');
      const flow = await recorderOf(proxy).waitForFlow('https://app.test/');
      await expect(flow.response).toBeStreamed();
      await expect(recorderOf(proxy)).toHaveFlow('https://app.test/', { times: 1 });
    });
  });

  test('forgets to await in a plain test', async ({ proxy }) => {
    expect(recorderOf(proxy)).toHaveFlow('**/never');
  });
});

test.describe('beforeAll', () => {
  test.use(recording({ hosts }));
  let visit: () => Promise<number | undefined>;

  test.beforeAll(async ({ browser }) => {
    const page = await browser.newPage();
    await page.goto('https://app.test/');
    visit = async () => (await page.goto('https://app.test/'))?.status();
  });

  test('keeps its page in a plain test', async () => {
    baseExpect(await visit()).toBe(200);
  });
});

test.describe('recordingProxy()', () => {
  test.use({ proxy: recordingProxy({ hosts }) });

  test('records without seeing to certificates', async ({ page, proxy }) => {
    await page.goto('http://app.test/');
    baseExpect(recorderOf(proxy).flows.length).toBeGreaterThan(0);
  });
});

test.describe('the ready proxy', () => {
  test.use({ proxy: recorder });

  test('records', async ({ proxy }) => {
    baseExpect(isRecordingProxy(proxy)).toBe(true);
  });
});

test('asks for a recorder where there is none', async ({ proxy }) => {
  recorderOf(proxy);
});
