import { expect, test } from 'sluice/playwright';

test.beforeAll(async ({ request }) => {
  await request.get('/text?words=before');
});

test.afterAll(async ({ request }) => {
  await request.get('/text?words=after');
});

test('passes', async ({ request }) => {
  await request.get('/');
});

test('fails', async ({ request }) => {
  await request.get('/text?words=hello', {
    headers: { authorization: 'Bearer secret-of-mine', cookie: 'id=my-cookie' },
  });
  expect(1).toBe(2);
});

test.describe('with everything shown', () => {
  test.use({ proxyOptions: { redact: false } });

  test('fails openly', async ({ request }) => {
    await request.get('/text?words=hello', { headers: { authorization: 'Bearer secret-of-mine' } });
    expect(1).toBe(2);
  });
});

test.describe('without attachments', () => {
  test.use({ proxyOptions: { attach: 'off' } });

  test('fails quietly', async ({ request }) => {
    await request.get('/');
    expect(1).toBe(2);
  });
});

test.describe('with attachments', () => {
  test.use({ proxyOptions: { attach: 'on' } });

  test('passes loudly', async ({ request }) => {
    for (let i = 0; i < 40; i++) await request.get(`/text?words=${i}`);
  });
});

test('fails as it should', async ({ request }) => {
  test.fail();
  await request.get('/');
  expect(1).toBe(2);
});
