import { writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'sluice/playwright';
import { bytesOf } from './bytes.js';

/** What a failed assertion says, without colours. */
async function failureOf(assertion: Promise<unknown>): Promise<string> {
  const error = await assertion.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return stripVTControlCharacters(String(error));
}

test('a form with a file from disk arrives by the digest of its part', async ({ page, proxy }, testInfo) => {
  const file = testInfo.outputPath('video.mp4');
  writeFileSync(file, bytesOf(5_000_000));
  proxy.stream('**/upload', { request: true });

  await page.goto('/');
  await page.getByLabel('Note').fill('holiday');
  await page.getByLabel('File').setInputFiles(file);
  await page.getByRole('button', { name: 'Upload' }).click();

  const { request, response } = await proxy.waitForFlow('**/upload');
  await expect(request).toBeStreamed();
  await expect(request).toHavePiecesOf(4096);
  await expect(request).toHaveArrivedIntact(file);
  await expect(request).toHaveArrivedIntact(file, { part: 'file' });
  await expect(request).toHaveArrivedIntact(Buffer.from('holiday'), { part: 'note' });
  await expect(response).toHaveJson({ bytes: request.transfer.sent.bytes });

  const other = await failureOf(expect(request).toHaveArrivedIntact(bytesOf(5_000_000, { seed: 1 })));
  expect(other).toContain('Error: expect(request).toHaveArrivedIntact(5000000 bytes)');
  expect(other).toContain('the 5000000 bytes the part "file" (video.mp4) are not those of the source');
});

test('a compressed download arrives by its content', async ({ page, proxy }) => {
  proxy.stream('**/download**', { response: true });
  await page.goto('/');
  await page.evaluate("send('/download?bytes=500000&gzip=1')");
  const { response } = await proxy.waitForFlow('**/download**');
  await expect(response).toHaveHeader('content-encoding', 'gzip');
  await expect(response).toHaveArrivedIntact(bytesOf(500_000));
  await expect(response).not.toHaveArrivedIntact(bytesOf(500_001));
});

test('a resumed download is covered by its two answers', async ({ page, proxy }) => {
  await page.goto('/');
  for (const range of ['bytes=0-299999', 'bytes=300000-']) {
    await page.evaluate(`send('/download?bytes=500000', { headers: { Range: '${range}' } })`);
  }
  await expect(proxy).toHaveFlow({ path: '/download**', status: 206 }, { times: 2 });
  await proxy.idle();
  const responses = proxy.flows.filter((flow) => flow.response?.status === 206).map((flow) => flow.response);
  await expect(responses[1]).toHaveArrivedIntact(bytesOf(500_000));
  await expect(responses).toHaveArrivedIntact(bytesOf(500_000));
  const half = await failureOf(expect([responses[0]]).toHaveArrivedIntact(bytesOf(500_000)));
  expect(half).toContain('Reason:   no message has the bytes 300000-499999');
});

test('failures say what was the cause', async ({ page, proxy }) => {
  proxy.stream('**/{cut,held,chunked}**', { response: true });
  await page.goto('/');
  await page.evaluate("send('/cut?bytes=5000&of=10000').catch(() => undefined)");
  const { response } = await proxy.waitForError('**/cut**');
  expect(await failureOf(expect(response).toHaveArrivedIntact())).toMatch(
    /Reason: {3}the proxy received and sent on 5000 bytes of 10000: .* \(ORIGIN_CLOSED\)/,
  );

  await page.evaluate(`
    const controller = new AbortController();
    fetch('/held/abort', { signal: controller.signal })
      .then((response) => response.body.getReader().read())
      .then(() => controller.abort());
  `);
  const aborted = await proxy.waitForError('**/held/abort');
  expect(await failureOf(expect(aborted.response).toHaveArrivedIntact())).toMatch(
    /Reason: {3}the proxy received and sent on 5 bytes of 9: .* \(CLIENT_ABORTED\)/,
  );

  await page.evaluate("send('/chunked?sizes=10,20')");
  const chunked = await proxy.waitForFlow('**/chunked**');
  expect(await failureOf(expect(chunked.response).toHavePiecesOf(4096))).toContain(
    'Received: 2 pieces: [10, 20]\nReason:   piece 1 has 10 bytes, not 4096',
  );
  expect(await failureOf(expect(proxy).toHaveFlow({ path: '/chunkd**' }, { timeout: 50 }))).toMatch(
    /Recorded flows, nearest first:\n {2}- GET https:\/\/app\.test\/chunked\?sizes=10,20 → 200/,
  );
});

test('softly, and with a message of one’s own', async ({ page, proxy }) => {
  await page.goto('/');
  const flow = await proxy.waitForFlow('/');
  expect(await failureOf(expect(flow, 'the page is gone').toHaveStatus(410))).toContain('the page is gone');
  await expect.soft(flow.response, 'the page is there').toHaveStatus(200);
});
