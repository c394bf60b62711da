/**
 * Streamed bodies under way, a line each.
 * @module
 */
import type { HttpFlow, Message } from '../index.js';
import { formatBytes } from '../index.js';
import { formatDuration, printable, shorten, shortenUrl } from '../internal.js';

/** Milliseconds that a rate is the average of. */
const WINDOW = 3000;
/** Characters that are left of a URL at least. */
const SHORTEST_URL = 16;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Bodies' progress. Times are milliseconds of any clock that does not go backwards. */
export class Progress {
  readonly #flows = new Set<HttpFlow>();
  readonly #samples = new WeakMap<Message, Sample[]>();

  /** Looks after a flow until {@link leave}. */
  follow(flow: HttpFlow): void {
    this.#flows.add(flow);
  }

  leave(flow: HttpFlow): void {
    this.#flows.delete(flow);
  }

  /** How many flows are followed. */
  get size(): number {
    return this.#flows.size;
  }

  /** A line per body that is streamed right now, oldest first; what does not fit is counted in the last. */
  lines(now: number, width: number, height: number): string[] {
    const lines: string[] = [];
    for (const flow of this.#flows) {
      for (const [message, arrow] of [
        [flow.request, '↑'],
        [flow.response, '↓'],
      ] as const) {
        if (message === undefined || message.bodyStatus !== 'streamed' || message.complete) continue;
        lines.push(this.#line(flow, message, arrow, now, width));
      }
    }
    if (lines.length <= height) return lines;
    const shown = lines.slice(0, height - 1);
    return [...shown, `… and ${lines.length - shown.length} more`];
  }

  #line(flow: HttpFlow, message: Message, arrow: string, now: number, width: number): string {
    const { bytes } = message.transfer.sent;
    const total = totalOf(message);
    const rate = this.#rate(message, bytes, now);
    const facts = [
      total === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(total)}`,
    ];
    if (total !== undefined) facts.push(`${Math.floor((bytes / total) * 100)}%`);
    if (rate !== undefined) {
      facts.push(`${formatBytes(Math.round(rate))}/s`);
      if (total !== undefined && rate > 0) {
        facts.push(`${timeLeft((total - bytes) / rate)} left`);
      }
    }
    // Where there is little room, the facts that follow from the others go first.
    while (facts.length > 1 && facts.join('  ').length > width - SHORTEST_URL - 4) facts.pop();
    const tail = facts.join('  ');
    const url = shortenUrl(printable(flow.request.url), Math.max(1, width - tail.length - 4));
    return shorten(`${arrow} ${url}  ${tail}`, width);
  }

  /** Octets per second of late; `undefined` until there is something to tell it from. */
  #rate(message: Message, bytes: number, now: number): number | undefined {
    const samples = this.#samples.get(message) ?? [];
    samples.push({ at: now, bytes });
    // One that is older than the window is kept, so that the average reaches over all of it.
    while ((samples[1]?.at ?? now) < now - WINDOW) samples.shift();
    this.#samples.set(message, samples);
    const [first] = samples;
    if (first === undefined || now <= first.at) return undefined;
    return ((bytes - first.bytes) * 1000) / (now - first.at);
  }
}

/** What Content-Length says; a transform may send something else. */
function totalOf(message: Message): number | undefined {
  const length = message.headers.get('content-length');
  return typeof message.stream !== 'function' && /^[1-9]\d*$/.test(length ?? '') ? Number(length) : undefined;
}

function timeLeft(seconds: number): string {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : formatDuration(seconds * 1000);
}
