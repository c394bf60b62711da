/**
 * What the command says of itself, made from the tables of flags and options.
 * @module
 */
import { HAR_CREATOR } from '../internal.js';
import { FLAGS, type Flag } from './arguments.js';
import { describeOption, describeOptions } from './settings.js';

/** Lines are no longer than this, however wide the terminal is. */
const WIDEST = 100;
/** Nor are they broken to fit in less. */
const NARROWEST = 60;
/** Room for a table of the options; with less each has a paragraph. */
const FOUR_COLUMNS = 96;

const EXAMPLES = [
  'sluice --set stream_large_bodies=3m --set stream_websockets=true',
  "sluice -p 9000 -s addon.ts --save-har flows.har '~m POST & ~u /api/'",
];

/** `sluice --version`. */
export function version(): string {
  return `${HAR_CREATOR.name} ${HAR_CREATOR.version}`;
}

/** `sluice --help`. @param columns of the terminal */
export function help(columns: number): string {
  const width = clamp(columns);
  const rows = Object.entries(FLAGS).map(([name, flag]) => [spelled(name, flag), meaningOf(flag)]);
  rows.push(['FILTER', "which flows are printed and saved, as mitmproxy's filters: ~m POST & ~u upload"]);
  return [
    'Usage: sluice [flags] [FILTER]',
    '',
    ...wrap('Records what goes through it as an HTTP proxy: a line per flow on standard output.', width),
    '',
    ...table(rows, [undefined, undefined], width - 2).map((line) => `  ${line}`),
    '',
    ...EXAMPLES.map((example) => `  ${example}`),
  ].join('\n');
}

/** `sluice --options`. @param columns of the terminal */
export function optionList(columns: number): string {
  const width = clamp(columns);
  const options = describeOptions();
  const rows = options.map((option) => [option.name, option.type, option.default, option.help]);
  if (width >= FOUR_COLUMNS) {
    const headed = [['NAME', 'TYPE', 'DEFAULT', 'MEANING'], ...rows];
    return table(headed, [undefined, 14, 18, undefined], width).join('\n');
  }
  const lines = options.flatMap(({ name, type, default: fallback, help: meaning }) => [
    ...wrap(`${name} (${type}), default ${fallback}`, width),
    ...wrap(meaning, width - 4).map((line) => `    ${line}`),
  ]);
  return lines.join('\n');
}

function spelled(name: string, { short, value, repeats, option }: Flag): string {
  const dash = short === undefined ? '    ' : `-${short}, `;
  const again = repeats === true && option === undefined ? ' ...' : '';
  return `${dash}--${name}${value === undefined ? '' : ` ${value}`}${again}`;
}

function meaningOf({ help, option }: Flag): string {
  if (help !== undefined) return help;
  const described = option === undefined ? undefined : describeOption(option);
  if (described === undefined) return '';
  const { type, help: meaning, default: fallback } = described;
  // Other types, of a port or a host, say nothing that the flag does not.
  const choices = type.includes('|') ? `: ${type.replaceAll('|', ', ')}` : '';
  return `${meaning}${choices}; default ${fallback}`;
}

function clamp(columns: number): number {
  return Math.min(WIDEST, Math.max(NARROWEST, columns - 1));
}

/**
 * Rows in columns, two spaces apart. Cells that are too wide go on in the next line of theirs.
 * @param limits how wide each column may be; the last takes what is left
 */
function table(rows: string[][], limits: (number | undefined)[], width: number): string[] {
  const widths = limits.map((limit, column) => {
    const longest = Math.max(...rows.map((row) => row[column]?.length ?? 0));
    return Math.min(longest, limit ?? longest);
  });
  const before = widths.slice(0, -1).reduce((sum, column) => sum + column + 2, 0);
  widths[widths.length - 1] = width - before;
  return rows.flatMap((row) => {
    const cells = row.map((cell, column) => wrap(cell, widths[column] ?? width));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, column) => (lines[line] ?? '').padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  });
}

/** Breaks a text at spaces, after commas and bars, and within a word that is longer than a line. */
function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.match(/[^\s,|]*(?:[,|]+|\s+|$)/g) ?? []) {
    const line = lines.at(-1) ?? '';
    if ((line + word).trimEnd().length <= width) {
      lines[lines.length - 1] = line + word;
      continue;
    }
    if (line !== '') lines.push('');
    lines[lines.length - 1] = word.trimStart();
    for (let rest = word; rest.trimEnd().length > width; ) {
      lines[lines.length - 1] = rest.slice(0, width);
      rest = rest.slice(width);
      lines.push(rest);
    }
  }
  return lines.map((line) => line.trimEnd());
}
