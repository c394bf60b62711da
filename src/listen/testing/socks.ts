import type { RawPeer } from '../../testing/raw-peer.js';
import type { Stage } from '../../testing/with-proxy.js';

/** The greeting of a client that gives no password. */
export const GREETING = Buffer.from([5, 1, 0]);
/** The greeting of a client that would give one. */
export const GREETING_PASSWORD = Buffer.from([5, 2, 0, 2]);
export const SUCCEEDED = '05000001000000000000';

/** The answer to a request with that reply, as hexadecimal digits. */
export const replyOf = (reply: number) => SUCCEEDED.replace(/^0500/, `050${reply}`);

/** A request to be connected to a name. */
export function toName(name: string, port: number, command = 1): Buffer {
  const octets = Buffer.from(name, 'latin1');
  return Buffer.concat([Buffer.from([5, command, 0, 3, octets.length]), octets, portOf(port)]);
}

/** A request to be connected to an address of 4 or 16 octets. */
export function toAddress(address: readonly number[], port: number): Buffer {
  return Buffer.concat([Buffer.from([5, 1, 0, address.length === 4 ? 1 : 4, ...address]), portOf(port)]);
}

/** A user name and a password (RFC 1929). */
export function credentials(user: string, password: string): Buffer {
  const [name, secret] = [Buffer.from(user), Buffer.from(password)];
  return Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([secret.length]), secret]);
}

/** A connection that has been opened through SOCKS. */
export async function openSocks({ client }: Stage, name: string, port: number): Promise<RawPeer> {
  const peer = await client();
  await peer.send(GREETING, toName(name, port));
  const answer = (await peer.read(12)).toString('hex');
  if (answer !== `0500${SUCCEEDED}`) throw new Error(`SOCKS was answered ${answer}`);
  return peer;
}

function portOf(port: number): Buffer {
  const octets = Buffer.alloc(2);
  octets.writeUInt16BE(port);
  return octets;
}
