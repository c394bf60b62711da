/**
 * Keeps a page of many flows one that a browser opens at once.
 * @module
 */
import { count } from './text.js';
import type { BodyView, FlowView, MessageView, Pair } from './view.js';
import type { SocketView } from './websocket-view.js';

/** Octets of previews in a page with little else; a page with much else has less. */
const PREVIEWS = 6_000_000;
const LEAST_PREVIEWS = 1_000_000;
/** What a page should stay below. */
const PAGE = 9_000_000;
/** Rows of WebSocket messages and events in a page, and of one WebSocket or event stream. */
const ROWS = 6_000;
const MOST_ROWS = 400;

/** The page's data: header lines repeat from flow to flow, so each stands once and flows refer to it by number. */
export interface PageData {
  pairs: Pair[];
  flows: unknown[];
}

/**
 * Packs the views and shortens previews until they fit: every body gets the same allowance, as large as possible, and
 * what small ones leave over goes to the large.
 * @param rest octets that the page has besides
 */
export function pack(views: readonly FlowView[], rest: number): string {
  const bodies = views.flatMap((view) => [
    view.request.body,
    ...(view.response ? [view.response.body] : []),
    ...[...(view.websocket?.rows ?? []), ...(view.events?.rows ?? [])].flatMap((row) =>
      'body' in row && row.body ? [row.body] : [],
    ),
  ]);
  const previews = bodies.map((body) => ({ body, cost: costOf(body) }));
  const others = rest + Buffer.byteLength(embedded(pageData(views, false)));
  const budget = Math.max(LEAST_PREVIEWS, Math.min(PREVIEWS, PAGE - others));
  const allowance = share(
    previews.map(({ cost }) => cost),
    budget,
  );
  for (const { body, cost } of previews) {
    if (cost > allowance) shortenTo(body, allowance);
    if (body.text === undefined || body.cut !== true) continue;
    body.notes.push(
      `Only the first ${count(body.text.length)} characters are shown; the ${body.of ?? 'body'} has ${body.size}.`,
    );
  }
  return embedded(pageData(views, true));
}

/** How many rows each WebSocket or event stream may have, of which there are `sockets` with so much to show. */
export function rowsPerSocket(sockets: readonly number[]): number {
  return Math.min(MOST_ROWS, share(sockets, ROWS));
}

/** A value as it stands in the page: JSON in a script element, which `<` could end. */
export function embedded(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

/** The largest allowance with which the sum of `min(cost, allowance)` fits. */
function share(costs: readonly number[], budget: number): number {
  let left = budget;
  let waiting = costs.length;
  for (const next of [...costs].sort((a, b) => a - b)) {
    if (next * waiting > left) return Math.floor(left / waiting);
    left -= next;
    waiting--;
  }
  return Number.POSITIVE_INFINITY;
}

function shortenTo(body: BodyView, allowance: number): void {
  if (body.image !== undefined) {
    body.image = undefined;
    body.notes.push('An image, left out to keep this page small.');
    return;
  }
  let text = body.text ?? '';
  for (let size = cost(text); size > allowance; size = cost(text)) {
    text = text.slice(0, Math.floor(text.length * Math.min(0.98, allowance / size)));
  }
  body.text = text;
  body.cut = true;
}

function costOf(body: BodyView): number {
  return cost(body.text ?? body.image ?? '');
}

function cost(text: string): number {
  return Buffer.byteLength(embedded(text));
}

function pageData(views: readonly FlowView[], withBodies: boolean): PageData {
  const numbers = new Map<string, number>();
  const pairs: Pair[] = [];
  const number = (pair: Pair): number => {
    const key = pair.join('\n');
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, pairs.length);
    return pairs.push(pair) - 1;
  };
  const packed = (message: MessageView) => ({
    ...message,
    body: withBodies ? message.body : undefined,
    fields: message.fields.map(number),
    trailers: message.trailers?.map(number),
  });
  const rows = (view: SocketView) => ({
    ...view,
    rows: view.rows.map((row) => (withBodies ? row : { ...row, body: undefined })),
  });
  const flows = views.map((view) => ({
    ...view,
    informational: view.informational.map((interim) => ({ ...interim, fields: interim.fields.map(number) })),
    request: packed(view.request),
    response: view.response && packed(view.response),
    websocket: view.websocket && rows(view.websocket),
    events: view.events && rows(view.events),
  }));
  return { pairs, flows };
}
