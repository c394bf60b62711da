/**
 * A WebSocket of a page's, told what to do by a test, and what the proxy recorded of it.
 * @module
 */
import type { Page } from '@playwright/test';
import type { RecordingProxy, WebSocketFlow } from 'sluice';

/** Opens a socket as `socket` of the page, with what it gets in `got`. Resolves when it is open, or failed. */
export function open(page: Page, path: string): Promise<unknown> {
  return page.evaluate(`new Promise((resolve) => {
    globalThis.got = [];
    globalThis.socket = new WebSocket(location.origin.replace('http', 'ws') + '${path}');
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => got.push(data));
    socket.addEventListener('close', ({ code, reason }) => got.push('closed ' + code + ' ' + reason));
    for (const event of ['open', 'error']) socket.addEventListener(event, () => resolve());
  })`);
}

/** What the page got, as soon as there is so much of it; bytes as `[1,2]`. */
export async function got(page: Page, count: number): Promise<string[]> {
  await page.waitForFunction(`got.length >= ${count}`);
  const script = "got.map((data) => typeof data === 'string' ? data : '[' + new Uint8Array(data) + ']')";
  return (await page.evaluate(script)) as string[];
}

/** One line for each recorded message: `client text hello`. */
export function told({ websocket }: WebSocketFlow): string[] {
  return websocket.messages.map(({ from, type, data, injected, dropped }) => {
    const payload = type === 'text' ? data.toString() : `[${[...data]}]`;
    return `${from} ${type} ${payload}${injected ? ' (injected)' : ''}${dropped ? ' (dropped)' : ''}`;
  });
}

/** The record of a WebSocket that is over. */
export async function ended(proxy: RecordingProxy, match: string): Promise<WebSocketFlow> {
  const flow = await proxy.waitForWebSocket(match);
  await flow.websocket.waitForClose();
  return flow;
}
