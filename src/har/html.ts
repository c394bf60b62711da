/**
 * Flows as one HTML page that needs nothing but itself.
 * @module
 */
import { mediaTypeOf } from '../flow/message-facts.js';
import type { TcpFlow } from '../flow/tcp-types.js';
import type { HttpFlow, Message } from '../flow/types.js';
import { pack, rowsPerSocket } from './budget.js';
import { shownError } from './failure.js';
import { SCRIPT } from './page-script.js';
import { STYLE } from './page-style.js';
import { type Redact, Redactor } from './redact.js';
import { bytesDown, bytesUp, countPieces, durationOf } from './summary.js';
import { byType, tcpLines } from './tcp.js';
import { formatBytes, formatDuration, plural, printable, shorten } from './text.js';
import { type FlowTimes, isInFlight, startOf, timesOf } from './times.js';
import { viewOf } from './view.js';
import { endOf, moodOf, socketTotals } from './websocket.js';

/** Options of {@link toHtml}. */
export interface HtmlOptions {
  /** The page's heading. Default `Recorded flows`. */
  title?: string;
  /** As in HAR files. */
  redact?: Redact;
}

/** Nothing may be loaded, whatever a body says. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
const TCP_LINES = 500;
const COLUMNS = ['', 'Method', 'Status', 'URL', 'Type', 'Up', 'Down', 'Bodies', 'Time', 'Waterfall'];

/**
 * A page with a table of flows: filter, waterfall, and for each flow its headers, the beginnings of its bodies (64 KiB
 * at most, less where many flows share the page) and how they moved; for each WebSocket or event stream its first and
 * last messages, 400 at most, and how many are left out; a line for each of the first 500 TCP flows. It stays under 10 MB
 * for 2000 ordinary flows.
 * @throws SluiceError BAD_OPTION for a `redact` that is neither a list of names nor `false`
 */
export function toHtml(flows: Iterable<HttpFlow | TcpFlow>, options: HtmlOptions = {}): string {
  const redactor = new Redactor(options.redact);
  const title = escapeHtml(printable(options.title ?? 'Recorded flows'));
  const { http, tcp } = byType(flows);
  const sorted = http.sort((a, b) => startOf(a) - startOf(b));
  const room = rowsPerSocket(
    sorted.map(({ websocket, response }) =>
      websocket === undefined
        ? (response?.events?.length ?? 0)
        : websocket.messages.length + websocket.pings.length,
    ),
  );
  const views = sorted.map((flow) => viewOf(flow, redactor, room));
  const scale = scaleOf(sorted);
  const none = tcp.length === 0 ? '<p class="none">No flows were recorded.</p>' : '';
  const main = (sorted.length === 0 ? none : table(sorted, scale, redactor)) + tcpList(tcp);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="totals">${totals(sorted, scale)}</p>
${sorted.length === 0 ? '' : tools(sorted)}
</header>
<main>
${main}
</main>
<script type="application/json" id="data">${pack(views, Buffer.byteLength(main))}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function totals(flows: readonly HttpFlow[], scale: Scale): string {
  const sum = (of: (flow: HttpFlow) => number) => formatBytes(flows.reduce((all, flow) => all + of(flow), 0));
  const failed = flows.filter((flow) => shownError(flow) !== undefined).length;
  const facts = [`<b>${flows.length}</b> ${flows.length === 1 ? 'flow' : 'flows'}`];
  if (flows.length === 0) return facts.join('');
  if (failed > 0) facts.push(`<b class="bad">${failed}</b> failed`);
  facts.push(
    `<b>${sum(bytesUp)}</b> up`,
    `<b>${sum(bytesDown)}</b> down`,
    `<b>${formatDuration(scale.length)}</b>`,
  );
  const start = new Date(scale.start).toISOString();
  return `${facts.join('<i>·</i>')}<i>·</i><time datetime="${start}">${start.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

function tools(flows: readonly HttpFlow[]): string {
  const views: [name: string, key: string, of: (flow: HttpFlow) => boolean][] = [
    ['Failed', 'f', (flow) => shownError(flow) !== undefined],
    ['4xx, 5xx', 'e', (flow) => (flow.response?.status ?? 0) >= 400],
    ['Streamed', 's', isStreamed],
    ['WebSockets', 'm', (flow) => flow.websocket !== undefined],
    ['Warnings', 'w', (flow) => flow.warnings.length > 0],
  ];
  const buttons = views
    .map(([name, key, of]) => ({ name, key, many: flows.filter(of).length }))
    .filter(({ many }) => many > 0)
    .map(
      ({ name, key, many }) =>
        `<button type="button" data-only="${key}" aria-pressed="false">${name} <b>${many}</b></button>`,
    );
  return `<div class="tools"><input id="filter" type="search" placeholder="Words of URL, method, status, type, messages; -word leaves out" aria-label="Filter flows" autocomplete="off" spellcheck="false">
${buttons.join('\n')}<output id="shown"></output></div>`;
}

function table(flows: readonly HttpFlow[], scale: Scale, redactor: Redactor): string {
  const heads = COLUMNS.map((name) => `<th scope="col">${name}</th>`).join('');
  const rows = flows.map((flow, index) => row(flow, index, scale, redactor)).join('\n');
  return `<table id="flows"><thead><tr>${heads}</tr></thead><tbody>
${rows}
</tbody></table>
<p class="none" id="nothing" hidden>No flow matches the filter.</p>
<p class="legend"><i class="send"></i>send<i class="wait"></i>wait<i class="receive"></i>receive<i class="open"></i>unfinished</p>`;
}

function tcpList(flows: readonly TcpFlow[]): string {
  if (flows.length === 0) return '';
  const items = tcpLines(flows, TCP_LINES).map((line) => `<li>${escapeHtml(line)}</li>`);
  return `\n<ul class="tcp">${items.join('\n')}</ul>`;
}

function row(flow: HttpFlow, index: number, scale: Scale, redactor: Redactor): string {
  const { request, response } = flow;
  const error = shownError(flow);
  const times = timesOf(flow);
  const marks = [
    ...(error === undefined ? [] : ['f']),
    ...((response?.status ?? 0) >= 400 ? ['e'] : []),
    ...(isStreamed(flow) ? ['s'] : []),
    ...(flow.websocket === undefined ? [] : ['m']),
    ...(flow.warnings.length > 0 ? ['w'] : []),
  ].join('');
  const cells = [
    '<td class="open"><span></span></td>',
    `<td class="method">${escapeHtml(shorten(printable(request.method), 16))}</td>`,
    `<td class="outcome">${statusBadge(flow, redactor)}</td>`,
    `<td class="url">${urlCell(flow, redactor)}</td>`,
    `<td class="type">${escapeHtml(shorten(printable(typeOf(flow)), 24))}</td>`,
    `<td class="number up">${bytesUp(flow) === 0 ? '' : formatBytes(bytesUp(flow))}</td>`,
    `<td class="number down">${bytesDown(flow) === 0 ? '' : formatBytes(bytesDown(flow))}</td>`,
    `<td class="bodies">${bodiesCell(flow, redactor)}</td>`,
    `<td class="number time">${durationOf(flow)}</td>`,
    `<td class="fall">${bar(flow, times, scale)}</td>`,
  ];
  return `<tr class="flow${error === undefined ? '' : ' failed'}" data-i="${index}" data-marks="${marks}" id="f${index}" tabindex="0" aria-expanded="false">${cells.join('')}</tr>`;
}

function typeOf({ preflight, websocket, response }: HttpFlow): string {
  if (preflight) return 'preflight';
  if (websocket !== undefined) return 'websocket';
  return response === undefined ? '' : mediaTypeOf(response).replace(/^application\//, '');
}

function statusBadge(flow: HttpFlow, redactor: Redactor): string {
  const status = flow.response?.status;
  const badge =
    status === undefined ? '' : `<span class="status s${Math.floor(status / 100)}">${status}</span>`;
  const error = shownError(flow);
  if (error !== undefined) return `${badge}<span class="status bad">${escapeHtml(error.code)}</span>`;
  const { websocket } = flow;
  const mood = websocket === undefined ? 'good' : moodOf(websocket);
  if (websocket !== undefined && (mood === 'own' || mood === 'bad')) {
    const end = escapeHtml(endOf(flow, websocket, redactor));
    return `${badge}<span class="status ${mood}" title="${end}">${websocket.closeCode}</span>`;
  }
  return badge === '' ? '<span class="status">pending</span>' : badge;
}

function urlCell(flow: HttpFlow, redactor: Redactor): string {
  const url = printable(redactor.url(flow.request.url));
  const [, scheme = '', host = '', path = url] = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)(.*)$/is.exec(url) ?? [];
  const warned = flow.warnings.length > 0 ? '<span class="warned" title="has warnings">!</span>' : '';
  const text = `<span class="host">${escapeHtml(scheme + shorten(host, 60))}</span>${escapeHtml(shorten(path, 120))}`;
  return `${warned}<span title="${escapeHtml(shorten(url, 1000))}">${text}</span>`;
}

function bodiesCell(flow: HttpFlow, redactor: Redactor): string {
  if (flow.websocket !== undefined) {
    const { messages, stream } = flow.websocket;
    const { up, down } = socketTotals(flow.websocket);
    const end = endOf(flow, flow.websocket, redactor);
    const title = escapeHtml(`${up.messages} up, ${down.messages} down${stream ? ', streamed' : ''}, ${end}`);
    return `<span class="${stream ? 'pill' : 'dim'}" title="${title}">${plural(messages.length, 'message')}</span>`;
  }
  const pill = (arrow: string, what: string, message: Message | undefined) =>
    message?.bodyStatus === 'streamed'
      ? `<span class="pill" title="${what} streamed in ${countPieces(message)}">${arrow} ${countPieces(message)}</span>`
      : '';
  const events = flow.response?.events;
  if (events !== undefined) {
    const streamed = flow.response?.bodyStatus === 'streamed';
    const title = streamed ? ' title="response streamed"' : '';
    return `<span class="${streamed ? 'pill' : 'dim'}"${title}>${plural(events.length, 'event')}</span>`;
  }
  const pills = pill('↑', 'request', flow.request) + pill('↓', 'response', flow.response);
  if (pills !== '') return pills;
  return bytesUp(flow) + bytesDown(flow) > 0 ? '<span class="dim">recorded</span>' : '';
}

function isStreamed(flow: HttpFlow): boolean {
  if (flow.websocket !== undefined) return flow.websocket.stream;
  return flow.request.bodyStatus === 'streamed' || flow.response?.bodyStatus === 'streamed';
}

/** The waterfall's extent, milliseconds. */
interface Scale {
  start: number;
  length: number;
}

function scaleOf(flows: readonly HttpFlow[]): Scale {
  const first = flows[0];
  const start = first === undefined ? 0 : startOf(first);
  const end = flows.reduce((latest, flow) => Math.max(latest, startOf(flow) + timesOf(flow).total), start);
  return { start, length: end - start };
}

function bar(flow: HttpFlow, times: FlowTimes, scale: Scale): string {
  const percent = (time: number) => (scale.length > 0 ? Math.round((time / scale.length) * 10000) / 100 : 0);
  const left = percent(times.start - scale.start);
  const phases = (['send', 'wait', 'receive'] as const)
    .filter((phase) => times[phase] > 0)
    .map((phase) => `<i class="${phase}" style="flex:${times[phase]}"></i>`);
  const rest =
    times.total - [times.send, times.wait, times.receive].reduce((sum, time) => sum + Math.max(0, time), 0);
  const open = isInFlight(flow) || shownError(flow) !== undefined;
  if (open || phases.length === 0)
    phases.push(`<i class="open" style="flex:${Math.max(rest, times.total / 20, 0.1)}"></i>`);
  return `<div style="left:${Math.min(left, 99.5)}%;width:${percent(times.total)}%">${phases.join('')}</div>`;
}

/** Text for HTML, in elements and in quoted attributes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
