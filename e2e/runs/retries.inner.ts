import { expect, test } from 'sluice/playwright';

test('fails each time', async ({ request }) => {
  await request.get('/');
  expect(1).toBe(2);
});
