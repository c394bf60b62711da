/** A scenario as a picture: a bar for each subject's median, a line for its spread. */
import { median } from './harness.js';
import { figure, type Scenario } from './results.js';

const WIDTH = 760;
const LABELS = 230;
const BAR = 18;
const STEP = 28;
const TOP = 56;
const FONT = 'font-family="system-ui, sans-serif"';

const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

export function plot({ title, unit, better, rows }: Scenario): string {
  const largest = Math.max(...rows.flatMap(({ values }) => values));
  const scale = (WIDTH - LABELS - 110) / largest;
  const height = TOP + rows.length * STEP + 12;
  const bars = rows.map(({ subject, values }, i) => {
    const y = TOP + i * STEP;
    const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)].map(
      (v) => v * scale,
    );
    const fill = subject.startsWith('Sluice') ? '#1f7a8c' : '#b8c4cc';
    const at = (x = 0) => (LABELS + x).toFixed(1);
    return [
      `<text x="${LABELS - 10}" y="${y + 13}" text-anchor="end">${escaped(subject)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${Math.max(1, middle ?? 0).toFixed(1)}" height="${BAR}" rx="2" fill="${fill}"/>`,
      `<path d="M${at(low)} ${y + BAR / 2}H${at(high)}" stroke="#33415c" stroke-width="1.5"/>`,
      `<text x="${at((high ?? 0) + 8)}" y="${y + 13}">${figure(median(values))}</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${FONT} font-size="13" fill="#1b2430" role="img" aria-labelledby="title">
<title id="title">${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="22" font-size="16" font-weight="600">${escaped(title)}</text>
<text x="12" y="41" fill="#5c677d">${escaped(unit)}, ${better} is better; bars are medians, lines the spread</text>
${bars.join('\n')}
</svg>
`;
}
