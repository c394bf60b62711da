/**
 * What there is to ask of a TCP flow: where it leads, and what was said in it.
 * @module
 */
import { withBrackets } from './authority.js';
import type { TcpFlow, TcpPeer } from './tcp-types.js';

/** Where it leads, IPv6 addresses in brackets: what its tunnel was opened to, and with that port the name in its TLS hello. */
export function targetsOf({ client: { tunnel, sni } }: TcpFlow): [host: string, port: string][] {
  const [, host, port] = /^(.*):(\d+)$/s.exec(tunnel ?? '') ?? [];
  if (host === undefined || port === undefined) return [];
  const named = sni === undefined || withBrackets(sni).toLowerCase() === host.toLowerCase();
  return named
    ? [[host, port]]
    : [
        [host, port],
        [withBrackets(sni), port],
      ];
}

/** What is stored of one end's messages, together. */
export function octetsOf({ messages }: TcpFlow, from: TcpPeer): Buffer {
  return Buffer.concat(messages.filter((message) => message.from === from).map(({ data }) => data));
}
