/**
 * Content codings (RFC 9110 section 8.4.1) and charsets: between a body as it was sent and its content.
 * @module
 */

import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { messageOf, SluiceError, shown } from '../errors.js';

interface Coding {
  decode(bytes: Buffer): Buffer;
  encode(bytes: Buffer): Buffer;
  decoder(): Transform;
  encoder(): Transform;
}

/** The zstd functions that newer Nodes have. */
interface ZstdFunctions {
  zstdDecompressSync?(bytes: Buffer): Buffer;
  zstdCompressSync?(bytes: Buffer): Buffer;
  createZstdDecompress?(): Transform;
  createZstdCompress?(): Transform;
}

const gzip: Coding = {
  decode: (bytes) => zlib.gunzipSync(bytes),
  encode: (bytes) => zlib.gzipSync(bytes),
  decoder: () => zlib.createGunzip(),
  encoder: () => zlib.createGzip(),
};

/** "deflate" is zlib-wrapped, but some servers send it raw: told apart by the first octet. */
const deflate: Coding = {
  decode: (bytes) => (((bytes[0] ?? 0) & 0x0f) === 8 ? zlib.inflateSync(bytes) : zlib.inflateRawSync(bytes)),
  encode: (bytes) => zlib.deflateSync(bytes),
  decoder: () => zlib.createInflate(),
  encoder: () => zlib.createDeflate(),
};

const brotli: Coding = {
  decode: (bytes) => zlib.brotliDecompressSync(bytes),
  encode: (bytes) => zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } }),
  decoder: () => zlib.createBrotliDecompress(),
  encoder: () => zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } }),
};

function zstd(): Coding | undefined {
  const { zstdDecompressSync, zstdCompressSync, createZstdDecompress, createZstdCompress } =
    zlib as unknown as ZstdFunctions;
  if (!zstdDecompressSync || !zstdCompressSync || !createZstdDecompress || !createZstdCompress)
    return undefined;
  return {
    decode: zstdDecompressSync,
    encode: zstdCompressSync,
    decoder: () => createZstdDecompress(),
    encoder: () => createZstdCompress(),
  };
}

const CODINGS: Record<string, Coding | undefined> = {
  gzip,
  'x-gzip': gzip,
  deflate,
  br: brotli,
  zstd: zstd(),
};

/** The codings of a Content-Encoding value, in the order they were applied. `identity` is left out. */
function codingsOf(contentEncoding: string | undefined): string[] {
  return (contentEncoding ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
}

function codingNamed(name: string): Coding {
  const coding = CODINGS[name];
  if (coding === undefined) {
    const known = Object.keys(CODINGS).filter((key) => CODINGS[key] !== undefined);
    throw new SluiceError(
      'BAD_BODY',
      `Content-Encoding ${shown(name)} is not known to this Node (${process.version}); known are ${known.join(', ')}. Use rawBody.`,
    );
  }
  return coding;
}

/** Undoes Content-Encoding. @throws SluiceError BAD_BODY */
export function decodeContent(bytes: Buffer, contentEncoding: string | undefined): Buffer {
  let content = bytes;
  for (const name of codingsOf(contentEncoding).reverse()) {
    if (content.length === 0) return content;
    const coding = codingNamed(name);
    try {
      content = coding.decode(content);
    } catch (error) {
      throw new SluiceError('BAD_BODY', `the body is not valid ${name}: ${messageOf(error)}. Use rawBody.`, {
        cause: error,
      });
    }
  }
  return content;
}

/** Applies Content-Encoding. @throws SluiceError BAD_BODY */
export function encodeContent(content: Buffer, contentEncoding: string | undefined): Buffer {
  return codingsOf(contentEncoding).reduce((bytes, name) => codingNamed(name).encode(bytes), content);
}

/** Streams that undo Content-Encoding, in the order to pipe; empty for none, `undefined` if one is not known. */
export function contentDecoders(contentEncoding: string | undefined): Transform[] | undefined {
  const codings = codingsOf(contentEncoding).map((name) => CODINGS[name]);
  if (codings.some((coding) => coding === undefined)) return undefined;
  return codings.reverse().flatMap((coding) => (coding === undefined ? [] : [coding.decoder()]));
}

/** Streams that apply Content-Encoding, in the order to pipe. @throws SluiceError BAD_BODY */
export function contentEncoders(contentEncoding: string | undefined): Transform[] {
  return codingsOf(contentEncoding).map((name) => codingNamed(name).encoder());
}

/** Text in the charset of a Content-Type; UTF-8 where it names none, or none that is known. */
export function decodeText(bytes: Buffer, contentType: string | undefined): string {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType ?? '')?.[1] ?? 'utf-8';
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    decoder = new TextDecoder();
  }
  return decoder.decode(bytes);
}

/** The media type of a Content-Type, lower-case, without parameters. */
export function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return '';
  const semicolon = contentType.indexOf(';');
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}
