import { expect, test } from 'sluice/playwright';
import { bytesOf } from '../e2e/bytes.js';

test('an upload arrives as the file is, and is not kept', async ({ page, proxy }) => {
  proxy.stream('**/upload', { request: true });
  const file = bytesOf(300_000);

  await page.goto('/');
  await page.getByLabel('File').setInputFiles({ name: 'photo.jpg', mimeType: 'image/jpeg', buffer: file });
  await page.getByLabel('Note').fill('from the examples');
  await page.getByRole('button', { name: 'Upload' }).click();

  const flow = await proxy.waitForFlow('**/upload');
  await expect(flow.request).toBeStreamed();
  await expect(flow.request).toHavePiecesOf(4096);
  // The file part of the multipart body, told by a digest that was computed while it passed.
  await expect(flow.request).toHaveArrivedIntact(file);
  expect(flow.request.parts.map((part) => part.filename ?? part.name)).toEqual(['note', 'photo.jpg']);
  await expect(flow).toHaveStatus(200);
});
