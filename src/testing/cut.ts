import type { RawPeer } from './raw-peer.js';

/**
 * Sends octets one by one, a turn of the event loop each. Without the turns they would all be in the kernel before a
 * proxy in this process reads the first, and it would read them as one.
 */
export async function sendCut(peer: RawPeer, bytes: string | Uint8Array): Promise<void> {
  for (const octet of Buffer.from(bytes as string)) {
    await peer.send(Buffer.from([octet]));
    await new Promise(setImmediate);
  }
}
