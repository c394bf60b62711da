// Shows the demo: a line per example while it runs, then a table of the bodies that went through the proxy. Its rows
// come from the flows.har that the fixture attaches to each test, and from nowhere else.
import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const COLUMNS = ['flow', 'direction', 'bytes', 'pieces sent on', 'body', 'SHA-256', 'memory'];
const DIFFERS = 'BUT THE SERVER GOT SOMETHING ELSE';
const RIGHT = new Set([2, 6]);
const LEGEND = [
  'SHA-256  in = out: what came in equals what went out; = server: so does what the server counted of an upload;',
  '         changed: a transform changed it on the way. The examples also compare bodies with the files they are of.',
  'memory   of the process that the proxy runs in (RSS), before the transfer and at its highest during it.',
];
/** What the pages are made of, which is not what the examples are about. */
const SCENERY = /^text\/(html|javascript)/;

export default class DemoReporter {
  #rows = [];
  #count = { passed: 0, failed: 0 };
  #started = performance.now();
  #color = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;

  printsToStdio() {
    return true;
  }

  onBegin(_config, suite) {
    console.log(`Running ${suite.allTests().length} examples through a proxy of their own each ...`);
  }

  onStdOut(chunk) {
    for (const line of String(chunk).split('\n')) if (line.trim() !== '') console.log(`      ${line.trim()}`);
  }

  onError(error) {
    this.#count.failed++;
    console.log(this.#paint('31', error.message ?? String(error.value)));
  }

  onTestEnd(test, result) {
    const ok = result.status === test.expectedStatus;
    this.#count[ok ? 'passed' : 'failed']++;
    console.log(
      `  ${ok ? this.#paint('32', '✓') : this.#paint('31', '✘')} ${test.title} (${duration(result.duration)})`,
    );
    for (const { message, value } of result.errors)
      console.log(this.#plain(indent(message ?? String(value))));
    const memory = result.annotations.find(({ type }) => type === 'memory')?.description;
    const hars = result.attachments.filter(({ name, path }) => name === 'flows.har' && path !== undefined);
    const rows = hars.flatMap(({ path }) => rowsOf(JSON.parse(readFileSync(path, 'utf8'))));
    const largest = rows.reduce((most, row) => (row.bytes > (most?.bytes ?? -1) ? row : most), undefined);
    if (memory !== undefined && largest !== undefined) largest.memory = memory;
    this.#rows.push(...rows.map((row) => ({ ...row, title: test.title })));
  }

  onEnd() {
    const { passed, failed } = this.#count;
    const bad = this.#rows.filter((row) => row.digest.includes(DIFFERS));
    console.log(`\n${this.#table()}\n`);
    for (const sentence of LEGEND) console.log(`  ${sentence}`);
    console.log('');
    if (passed > 0 && this.#rows.length === 0)
      console.log('No flows were attached, so there is nothing to show: that is a bug.');
    const summary = `demo: ${passed} passed, ${failed} failed in ${duration(performance.now() - this.#started)}`;
    console.log(this.#paint(failed === 0 ? '32' : '31', summary));
    return passed === 0 || this.#rows.length === 0 || bad.length > 0 ? { status: 'failed' } : undefined;
  }

  #table() {
    const cells = this.#rows.map((row) => [
      row.flow,
      row.up ? '↑ up' : '↓ down',
      row.bytes.toLocaleString('en-US'),
      row.pieces,
      row.streamed ? 'streamed' : 'recorded',
      row.digest,
      row.memory ?? '',
    ]);
    const widths = COLUMNS.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
    const line = (row) =>
      row.map((cell, i) => (RIGHT.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' │ ');
    const rule = widths.map((width) => '─'.repeat(width)).join('─┼─');
    const lines = [this.#paint('1', `    ${line(COLUMNS)}`), `    ${rule}`];
    let title;
    for (const [i, row] of this.#rows.entries()) {
      if (row.title !== title) lines.push(this.#paint('36', `  ${row.title}`));
      title = row.title;
      lines.push(`    ${line(cells[i])}`.trimEnd());
    }
    return lines.join('\n');
  }

  #plain(text) {
    return this.#color ? text : stripVTControlCharacters(text);
  }

  #paint(code, text) {
    return this.#color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

function rowsOf(har) {
  return har.log.entries.flatMap((entry) => [
    ...rowOf(entry, entry.request, true),
    ...rowOf(entry, entry.response, false),
    ...socketRow(entry, 'send'),
    ...socketRow(entry, 'receive'),
  ]);
}

/** The messages of a WebSocket one way. */
function socketRow({ request, _webSocketMessages: messages = [], _webSocketStreamed }, type) {
  const sent = messages.filter((message) => message.type === type);
  if (sent.length === 0) return [];
  const { host, pathname } = new URL(request.url);
  const octets = ({ data, opcode, _size, _base64 }) =>
    _size ?? (opcode === 1 && !_base64 ? Buffer.byteLength(data) : Buffer.from(data, 'base64').length);
  return [
    {
      flow: `WebSocket ${host}${pathname}`,
      up: type === 'send',
      bytes: sent.reduce((sum, message) => sum + octets(message), 0),
      pieces: sent.length === 1 ? '1 message' : `${number(sent.length)} messages`,
      streamed: _webSocketStreamed === true,
      digest: '',
    },
  ];
}

function rowOf({ request, response, _serverPort }, message, up) {
  const transfer = message._transfer;
  const streamed = message._streamed === true;
  if (transfer === undefined || (!up && !streamed && SCENERY.test(response.content.mimeType))) return [];
  const { received, sent } = transfer;
  const { host, pathname } = new URL(request.url);
  return [
    {
      flow: `${request.method} ${host}${pathname}`,
      up,
      bytes: sent.bytes,
      pieces: pieces(sent.pieces),
      streamed,
      digest:
        _serverPort === undefined
          ? `${sent.sha256?.slice(0, 8)} ${up ? 'not forwarded' : 'made here'}`
          : `${digest(received.sha256, sent.sha256)}${up ? server(response, sent.sha256) : ''}`,
    },
  ];
}

/** `3: 2 × 4,096, 1,808` */
function pieces({ count, runs, truncated }) {
  const shown = runs
    .slice(0, 3)
    .map(([size, times]) => (times > 1 ? `${number(times)} × ${number(size)}` : number(size)));
  const more = truncated || runs.length > 3 ? ', …' : '';
  return count === 1 ? '1' : `${number(count)}: ${shown.join(', ')}${more}`;
}

function digest(received, sent) {
  if (received === undefined || sent === undefined) return 'none';
  return received === sent ? `${sent.slice(0, 8)} in = out` : `${sent.slice(0, 8)} changed`;
}

/** What the test origin says of an upload: its answer has the digest of the body that it got. */
function server(response, sent) {
  if (!response.content.mimeType.startsWith('application/json')) return '';
  const { sha256 } = JSON.parse(response.content.text ?? '{}');
  if (sha256 === undefined) return '';
  return sha256 === sent ? ' = server' : `, ${DIFFERS}`;
}

function number(value) {
  return value.toLocaleString('en-US');
}

function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function indent(text) {
  return text.replace(/^/gm, '      ');
}
