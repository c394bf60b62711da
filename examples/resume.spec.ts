import { resetAfter } from 'sluice/faults';
import { expect, test } from 'sluice/playwright';
import { bytesOf } from '../e2e/bytes.js';

const SIZE = 3 * 1024 * 1024;

/** A downloader as applications have it: what it has got so far is kept, and the rest asked for again. */
const DOWNLOADER = `
  async function download(url) {
    const output = document.querySelector('output');
    const parts = [];
    let got = 0;
    for (let attempt = 1; attempt <= 3; attempt++) {
      try {
        const response = await fetch(url, got === 0 ? {} : { headers: { Range: 'bytes=' + got + '-' } });
        for (const reader = response.body.getReader(); ; ) {
          const { done, value } = await reader.read();
          if (done) break;
          parts.push(value);
          got += value.length;
        }
        const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
        const hex = [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, '0')).join('');
        output.textContent = 'saved ' + got + ' bytes, sha256 ' + hex;
        return;
      } catch (error) {
        output.textContent = 'connection lost, trying again';
      }
    }
    output.textContent = 'gave up';
  }
`;

test('a download that is cut at 1 MiB is resumed', async ({ page, proxy }) => {
  proxy.stream({ path: '/download' });
  proxy.stream({ path: '/download' }, { response: resetAfter('1m'), times: 1 });

  await page.goto('/');
  await page.addScriptTag({ content: DOWNLOADER });
  await page.evaluate(`download('/download?bytes=${SIZE}')`);

  const first = await proxy.waitForError({ path: '/download' });
  expect(first.error.code).toBe('FAULT_RESET');
  await expect(first).toHaveStatus(200);
  expect(first.response?.transfer.sent.bytes).toBe(1024 * 1024);

  const second = await proxy.waitForFlow({ path: '/download', status: 206 });
  await expect(second.response).toHaveArrivedIntact(bytesOf(SIZE));
  // By itself neither is the file. Together they are.
  await expect(first.response).not.toHaveArrivedIntact(bytesOf(SIZE));
  await expect([first.response, second.response]).toHaveArrivedIntact(bytesOf(SIZE));
  await expect(page.locator('output')).toContainText(`saved ${SIZE} bytes`);
});
