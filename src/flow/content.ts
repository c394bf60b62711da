/**
 * Content codings (RFC 9110 section 8.4.1) and charsets: between a body as it was sent and its content.
 * @module
 */

import { constants } from 'node:buffer';
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { isError, messageOf, SluiceError, shown } from '../errors.js';

/** Octets of content that a body is decoded to: a text can't hold more, and a bomb is told by it. */
const MAX_CONTENT = constants.MAX_STRING_LENGTH;
/** More in one body are not content but an attack on whoever undoes them. */
const MAX_CODINGS = 8;

interface Limit {
  maxOutputLength: number;
}

interface Coding {
  decode(bytes: Buffer, limit: Limit): Buffer;
  encode(bytes: Buffer): Buffer;
  decoder(): Transform;
  encoder(): Transform;
}

/** The zstd functions that newer Nodes have. */
interface ZstdFunctions {
  zstdDecompressSync?(bytes: Buffer, limit: Limit): Buffer;
  zstdCompressSync?(bytes: Buffer): Buffer;
  createZstdDecompress?(): Transform;
  createZstdCompress?(): Transform;
}

const gzip: Coding = {
  decode: (bytes, limit) => zlib.gunzipSync(bytes, limit),
  encode: (bytes) => zlib.gzipSync(bytes),
  decoder: () => zlib.createGunzip(),
  encoder: () => zlib.createGzip(),
};

/** "deflate" is zlib-wrapped, but some servers send it raw: told apart by the first octet. */
const deflate: Coding = {
  decode: (bytes, limit) =>
    ((bytes[0] ?? 0) & 0x0f) === 8 ? zlib.inflateSync(bytes, limit) : zlib.inflateRawSync(bytes, limit),
  encode: (bytes) => zlib.deflateSync(bytes),
  decoder: () => zlib.createInflate(),
  encoder: () => zlib.createDeflate(),
};

const brotli: Coding = {
  decode: (bytes, limit) => zlib.brotliDecompressSync(bytes, limit),
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

const ZSTD = zstd();

const CODINGS = new Map<string, Coding>([
  ['gzip', gzip],
  ['x-gzip', gzip],
  ['deflate', deflate],
  ['br', brotli],
  ...(ZSTD === undefined ? [] : [['zstd', ZSTD] as const]),
]);

/** The codings of a Content-Encoding value, in the order they were applied. `identity` is left out. */
function codingsOf(contentEncoding: string | undefined): string[] {
  return (contentEncoding ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
}

function codingNamed(name: string): Coding {
  const coding = CODINGS.get(name);
  if (coding === undefined) {
    const known = [...CODINGS.keys()];
    throw new SluiceError(
      'BAD_BODY',
      `Content-Encoding ${shown(name)} is not known to this Node (${process.version}); known are ${known.join(', ')}. Use rawBody.`,
    );
  }
  return coding;
}

/**
 * Undoes Content-Encoding.
 * @param maxOutputLength octets; more are refused
 * @throws SluiceError BAD_BODY
 */
export function decodeContent(
  bytes: Buffer,
  contentEncoding: string | undefined,
  maxOutputLength = MAX_CONTENT,
): Buffer {
  let content = bytes;
  const names = codingsOf(contentEncoding);
  if (names.length > MAX_CODINGS) {
    throw new SluiceError('BAD_BODY', `more than ${MAX_CODINGS} content codings. Use rawBody.`);
  }
  for (const name of names.reverse()) {
    if (content.length === 0) return content;
    const coding = codingNamed(name);
    try {
      content = coding.decode(content, { maxOutputLength });
    } catch (error) {
      const isBomb = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      const problem = isBomb
        ? `the body's content is over ${maxOutputLength} octets`
        : `the body is not valid ${name}: ${messageOf(error)}`;
      throw new SluiceError('BAD_BODY', `${problem}. Use rawBody.`, { cause: error });
    }
  }
  return content;
}

/** Applies Content-Encoding. @throws SluiceError BAD_BODY */
export function encodeContent(content: Buffer, contentEncoding: string | undefined): Buffer {
  return codingsOf(contentEncoding).reduce((bytes, name) => codingNamed(name).encode(bytes), content);
}

/** Streams that undo Content-Encoding, in the order to pipe; empty for none, `undefined` if they are not to be had. */
export function contentDecoders(contentEncoding: string | undefined): Transform[] | undefined {
  const codings = codingsOf(contentEncoding).map((name) => CODINGS.get(name));
  if (codings.length > MAX_CODINGS || codings.includes(undefined)) return undefined;
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
    if (!isError(error, 'RangeError')) throw error;
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
