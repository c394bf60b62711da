// Shows the demo: a line per example while it runs, then a table of the bodies that went through the proxy. Its rows
// come from the flows.har that the fixture attaches to each test, and from nowhere else.
import { readFileSync } from 'node:fs';

const COLUMNS = ['flow', 'direction', 'bytes', 'pieces sent on', 'body', 'SHA-256', 'memory'];
const RIGHT = new Set([2, 6]);
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
    for (const { message, value } of result.errors) console.log(indent(message ?? String(value)));
    const growth = result.annotations.find(({ type }) => type === 'memory growth')?.description;
    const hars = result.attachments.filter(({ name, path }) => name === 'flows.har' && path !== undefined);
    const rows = hars.flatMap(({ path }) => rowsOf(JSON.parse(readFileSync(path, 'utf8'))));
    const largest = rows.reduce((most, row) => (row.bytes > (most?.bytes ?? -1) ? row : most), undefined);
    if (growth !== undefined && largest !== undefined) largest.growth = Number(growth);
    this.#rows.push(...rows);
  }

  onEnd() {
    const { passed, failed } = this.#count;
    const bad = this.#rows.filter((row) => row.failed);
    console.log(`\n${this.#table()}\n`);
    console.log(
      '  SHA-256: of what came in and of what went out. "changed": a transform changed it on the way. The',
    );
    console.log('  examples also compare both with the file, and uploads with what the server received.');
    console.log(
      '  memory: the most by which the process that the proxy runs in grew during the transfer (RSS).\n',
    );
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
      row.growth === undefined ? '' : `+${(row.growth / 1024 ** 2).toFixed(0)} MiB`,
    ]);
    const widths = COLUMNS.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
    const line = (row) =>
      row.map((cell, i) => (RIGHT.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' │ ');
    const rule = widths.map((width) => '─'.repeat(width)).join('─┼─');
    return [
      this.#paint('1', `  ${line(COLUMNS)}`),
      `  ${rule}`,
      ...cells.map((row) => `  ${line(row)}`),
    ].join('\n');
  }

  #paint(code, text) {
    return this.#color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

function rowsOf(har) {
  return har.log.entries.flatMap((entry) => [
    ...rowOf(entry, entry.request, true),
    ...rowOf(entry, entry.response, false),
  ]);
}

function rowOf({ request, response }, message, up) {
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
      digest: digest(received.sha256, sent.sha256),
      failed: response._failureText !== undefined,
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
  if (received === undefined && sent !== undefined) return `${sent.slice(0, 8)} made here`;
  if (received === undefined || sent === undefined) return 'none';
  return received === sent ? `${sent.slice(0, 8)} in = out` : `${sent.slice(0, 8)} changed`;
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
