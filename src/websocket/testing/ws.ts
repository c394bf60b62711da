/**
 * The codec of `ws`, by itself: what another implementation writes and reads.
 * @module
 */
import type { Writable } from 'node:stream';
import * as ws from 'ws';
import type { DeflateSide } from '../extensions.js';

interface Deflate {
  params: Record<string, number | boolean>;
  compress(data: Buffer, fin: boolean, done: (error: Error | null, bytes: Buffer) => void): void;
  cleanup(): void;
}

interface Codec {
  Receiver: new (options: { isServer: boolean; extensions: { 'permessage-deflate'?: Deflate } }) => Writable;
  Sender: {
    frame(
      data: Buffer,
      options: {
        fin: boolean;
        opcode: number;
        rsv1: boolean;
        mask: boolean;
        maskBuffer: Buffer | undefined;
        generateMask(key: Buffer): void;
        readOnly: boolean;
      },
    ): Buffer[];
  };
  PerMessageDeflate: new (options: { isServer: boolean; threshold: number }) => Deflate;
}

// Its types leave these out.
const { Receiver, Sender, PerMessageDeflate } = ws as unknown as Codec;

/** One thing that an end of a WebSocket was told. */
export type Told =
  | { type: 'text' | 'binary' | 'ping' | 'pong'; data: string }
  | { type: 'close'; code: number; reason: string }
  | { type: 'error'; code: number };

export interface WrittenFrame {
  opcode: number;
  payload?: Buffer | string;
  /** Default true. */
  fin?: boolean;
  /** Default false. */
  compressed?: boolean;
  /** Masked with these four octets; not masked if absent. */
  key?: Buffer;
}

/** A frame as `ws` writes it. */
export function wsFrame({ opcode, payload = '', fin = true, compressed = false, key }: WrittenFrame): Buffer {
  return Buffer.concat(
    Sender.frame(Buffer.from(payload as string), {
      fin,
      opcode,
      rsv1: compressed,
      mask: key !== undefined,
      maskBuffer: key,
      // The key is there already.
      generateMask: () => undefined,
      readOnly: true,
    }),
  );
}

function deflateOf(side: DeflateSide, isServer: boolean): Deflate {
  const deflate = new PerMessageDeflate({ isServer, threshold: 0 });
  for (const end of ['client', 'server']) {
    deflate.params = {
      ...deflate.params,
      [`${end}_max_window_bits`]: side.windowBits,
      ...(side.noContextTakeover && { [`${end}_no_context_takeover`]: true }),
    };
  }
  return deflate;
}

/** Compresses messages one after another, as `ws` does it. */
export class WsCompressor {
  readonly #deflate: Deflate;

  constructor(side: DeflateSide) {
    this.#deflate = deflateOf(side, false);
  }

  compress(data: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#deflate.compress(data, true, (error, bytes) =>
        error === null ? resolve(Buffer.from(bytes)) : reject(error),
      );
    });
  }

  close(): void {
    this.#deflate.cleanup();
  }
}

/** What `ws` reads from these octets, up to an error if it finds one. */
export async function readByWs(
  wire: Buffer,
  { masked, deflate }: { masked: boolean; deflate?: DeflateSide | undefined },
): Promise<Told[]> {
  const told: Told[] = [];
  const inflate = deflate === undefined ? undefined : deflateOf(deflate, masked);
  const receiver = new Receiver({
    isServer: masked,
    extensions: inflate === undefined ? {} : { 'permessage-deflate': inflate },
  });
  receiver.on('message', (data: Buffer, binary: boolean) =>
    told.push({ type: binary ? 'binary' : 'text', data: data.toString('hex') }),
  );
  for (const type of ['ping', 'pong'] as const) {
    receiver.on(type, (data: Buffer) => told.push({ type, data: data.toString('hex') }));
  }
  receiver.on('conclude', (code: number, reason: Buffer) =>
    told.push({ type: 'close', code, reason: reason.toString() }),
  );
  receiver.on('error', (error: Error & Record<symbol, number>) => {
    const status = Object.getOwnPropertySymbols(error).find((symbol) => symbol.description === 'status-code');
    told.push({ type: 'error', code: status === undefined ? 0 : (error[status] ?? 0) });
  });
  const closed = new Promise((resolve) => receiver.on('close', resolve));
  // It unmasks in place.
  receiver.end(Buffer.from(wire));
  await closed;
  inflate?.cleanup();
  return told;
}
