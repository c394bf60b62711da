/**
 * What matches read out of flows and messages.
 * @module
 */
import { types } from 'node:util';
import { isSluiceError } from '../errors.js';
import { mediaType } from './content.js';
import { found, matchesSubset } from './subset.js';
import type { HttpFlow, HttpRequest, HttpResponse, Message } from './types.js';

/** Host name and port of a URL, default ports included; IPv6 addresses in brackets. */
export function hostOf(url: string): [name: string, port: string] {
  if (!URL.canParse(url)) return ['', ''];
  const { hostname, port, protocol } = new URL(url);
  return [hostname, port || (/^(?:https|wss):$/.test(protocol) ? '443' : '80')];
}

/** The media type in lower case, without parameters (RFC 9110 section 8.3.1); empty if not given. */
export function mediaTypeOf(message: Message): string {
  return mediaType(message.headers.get('content-type'));
}

/** Whether a media type is `wanted` (lower case), whose trailing `*` matches any rest. */
export function mediaTypeMatches(given: string, wanted: string): boolean {
  if (given === '') return false;
  return wanted.endsWith('*') ? given.startsWith(wanted.slice(0, -1)) : given === wanted;
}

/** Octets of a body: what Content-Length promises or, unless only the head counts, what has come if that is more. */
export function bodySize(message: HttpRequest | HttpResponse, flow: HttpFlow, atHead: boolean): number {
  const received = atHead ? 0 : message.transfer.received.bytes;
  return Math.max(received, bodyless(message, flow) ? 0 : contentLengthOf(message));
}

/** Responses whose Content-Length is not about a body that follows (RFC 9110 section 8.6). */
function bodyless(message: HttpRequest | HttpResponse, flow: HttpFlow): boolean {
  return 'status' in message && (flow.request.method === 'HEAD' || message.status === 304);
}

function contentLengthOf(message: Message): number {
  // Equal values that were repeated count once (RFC 9112 section 6.3).
  const value = message.headers.getAll('content-length')[0]?.split(',')[0]?.trim() ?? '';
  return /^\d+$/.test(value) ? Number(value) : 0;
}

/** Whether a field has the value that is wanted: all its lines joined, or one of them. */
export function fieldHolds(message: Message, name: string, wanted: unknown): boolean {
  const joined = message.headers.get(name);
  if (joined === undefined) return false;
  return [joined, ...message.headers.getAll(name)].some((value) =>
    types.isRegExp(wanted) ? found(wanted, value) : matchesSubset(value, wanted),
  );
}

/** The request's body if it is JSON, else the response's, else why there is none. */
export function jsonOf(flow: HttpFlow): { json: unknown } | { why: string } {
  const ofRequest = parse(flow.request);
  if ('json' in ofRequest || flow.response === undefined) return ofRequest;
  const ofResponse = parse(flow.response);
  if ('json' in ofResponse) return ofResponse;
  return { why: `${ofRequest.why} in the request and ${ofResponse.why} in the response` };
}

function parse(message: Message): { json: unknown } | { why: string } {
  if (message.bodyStatus === 'streamed') return { why: 'not kept (streamed)' };
  if (message.rawBody.length === 0) return { why: 'empty' };
  try {
    return { json: message.json() };
  } catch (error) {
    if (isSluiceError(error) && error.code === 'BAD_BODY') return { why: 'not JSON' };
    throw error;
  }
}
