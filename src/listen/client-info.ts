import type { Socket } from 'node:net';
import type { ClientInfo } from '../flow/types.js';
import type { Passed } from '../tcp/relay.js';

let lastId = 0;

/** What is known of a client's connection; it grows as tunnel and TLS become known. */
export class ClientRecord implements ClientInfo {
  readonly id = ++lastId;
  readonly address: string;
  readonly port: number;
  tunnel?: string;
  tls = false;
  sni?: string;
  passthrough?: Passed;
  /** In its TLS hello it offers HTTP/2 and nothing else, as clients of gRPC do. */
  onlyHttp2 = false;

  constructor(socket: Socket) {
    this.address = socket.remoteAddress ?? '';
    this.port = socket.remotePort ?? 0;
  }
}
