import { isUtf8 } from 'node:buffer';
import { messageOf } from '../errors.js';
import { mediaTypeOf } from '../flow/message-facts.js';
import type { Message } from '../flow/types.js';

/** What the record has of a body. `note`: why it is not what a reader would expect, a sentence. */
export type Content =
  | { readonly kind: 'empty'; readonly note?: undefined }
  | { readonly kind: 'streamed'; readonly note: string }
  | { readonly kind: 'text'; readonly text: string; readonly size: number; readonly note?: string }
  | {
      readonly kind: 'binary';
      readonly bytes: Buffer;
      readonly size: number;
      /** Still content-encoded, for want of a way to undo it. */
      readonly encoded: boolean;
      readonly note?: string;
    };

const TEXTUAL =
  /^(?:text\/|multipart\/form-data|application\/(?:x-www-form-urlencoded|json|xml|javascript|ecmascript|x-javascript|graphql|yaml|toml|sql|x-ndjson|jsonl|.*\+(?:json|xml)$)|image\/svg\+xml)/;

/** Reads a body as text where it is text. Never throws: what cannot be decoded comes as it was sent. */
export function contentOf(message: Message): Content {
  if (message.bodyStatus === 'streamed') return { kind: 'streamed', note: streamedNote(message) };
  const raw = message.rawBody;
  const cut = message.complete || raw.length === 0 ? undefined : 'The body did not arrive to its end.';
  if (raw.length === 0) return { kind: 'empty' };
  try {
    const bytes = message.body;
    const note = cut;
    if (isText(message, bytes)) return { kind: 'text', text: message.text(), size: bytes.length, note };
    return { kind: 'binary', bytes, size: bytes.length, encoded: false, note };
  } catch (error) {
    const why = `The body could not be decoded (${messageOf(error)}); this is the body as it was sent.`;
    const note = cut === undefined ? why : `${cut} ${why}`;
    return { kind: 'binary', bytes: raw, size: raw.length, encoded: true, note };
  }
}

/** Octets of the body as sent: as recorded, or as counted where it was streamed. */
export function bodySize(message: Message): number {
  if (message.bodyStatus === 'recorded') return message.rawBody.length;
  const { sent, received } = message.transfer;
  return message.bodyStatus === 'streamed' ? sent.bytes : Math.max(sent.bytes, received.bytes);
}

/** Text that is not valid UTF-8 would lose octets, so it counts as binary unless another charset explains it. */
function isText(message: Message, bytes: Buffer): boolean {
  const type = mediaTypeOf(message);
  if (type === '') return isUtf8(bytes) && !bytes.includes(0);
  if (!TEXTUAL.test(type)) return false;
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(message.headers.get('content-type') ?? '')?.[1];
  return charset !== undefined && !/^utf-?8$/i.test(charset) ? true : isUtf8(bytes);
}

function streamedNote(message: Message): string {
  const { sent } = message.transfer;
  const many = sent.pieces.count === 1 ? 'piece' : 'pieces';
  const end = message.complete ? '' : ' It did not reach its end.';
  return `The body was streamed and not recorded: ${sent.bytes} bytes in ${sent.pieces.count} ${many}.${end}`;
}
