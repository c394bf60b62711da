/** Puts a run into docs/performance.md: between its two marks, and its pictures beside it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { plot } from './plot.js';
import { figure, type Run, type Scenario, table } from './results.js';

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const PICTURES = fileURLToPath(new URL('../docs/performance', import.meta.url));
const [BEGIN, END] = ['<!-- run -->', '<!-- /run -->'];

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const grid = ([head = [], ...lines]: readonly string[][]) =>
  [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...lines.map(row)].join('\n');

function section(scenario: Scenario): string {
  const picture = scenario.rows.length > 1 ? `![${scenario.title}](performance/${scenario.id}.svg)\n\n` : '';
  return `### ${scenario.title}\n\n${picture}${grid(table(scenario))}`;
}

export function publish({ date, machine, versions, rounds, scenarios, judged }: Run): void {
  const present = scenarios.filter(({ rows }) => rows.length > 0);
  const text = [
    `${date}, ${machine}; ${Object.entries(versions)
      .map((pair) => pair.join(' '))
      .join(', ')}. Medians of ${rounds} rounds, of start-up more, of memory fewer.`,
    grid([
      ['target', 'measured', 'wanted', ''],
      ...judged.map(({ what, measured, wanted, met }) => [
        what,
        figure(measured),
        wanted,
        met ? 'met' : '**missed**',
      ]),
    ]),
    ...present.map(section),
  ].join('\n\n');
  const page = readFileSync(PAGE, 'utf8');
  const [before = '', rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${text}\n\n${END}${after}`);
  mkdirSync(PICTURES, { recursive: true });
  for (const scenario of present) writeFileSync(`${PICTURES}/${scenario.id}.svg`, plot(scenario));
}
