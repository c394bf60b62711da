/** What was measured, how it reads, and whether it is enough. */
import { median } from './harness.js';

/** One subject's figures in a scenario. */
export interface Row {
  subject: string;
  /** One a round. */
  values: number[];
  /** Of a derived figure that is no ratio. Default that of the scenario, for others. */
  unit?: string;
}

/** What is asked of a scenario: of a ratio, by how much `subject` is better than `to`; else of the figure itself. */
export interface Target {
  what: string;
  subject: string;
  to?: string;
  atLeast?: number;
  atMost?: number;
}

export interface Scenario {
  /** What its picture is named by. */
  id: string;
  title: string;
  unit: string;
  better: 'higher' | 'lower';
  rows: Row[];
  /** Figures of another kind: percentiles beside medians, ratios beside rates. They are not in the picture. */
  derived?: Row[];
  targets: Target[];
  /** Subjects that were left out, and why. */
  skipped?: string[];
}

/** The judgement of a target. */
export interface Judged {
  what: string;
  measured: number;
  wanted: string;
  met: boolean;
}

/** Everything about a run. */
export interface Run {
  /** As in 2026-01-31. */
  date: string;
  /** One line. */
  machine: string;
  /** Of programs and packages, by name. */
  versions: Record<string, string>;
  rounds: number;
  scenarios: Scenario[];
  judged: Judged[];
}

/** By how much `row` is better than `other`: 2 is twice as good, whatever the unit. */
export function ratio(scenario: Scenario, row: Row, other: Row): number {
  const quotient = median(row.values) / median(other.values);
  return scenario.better === 'higher' ? quotient : 1 / quotient;
}

/** A target whose subject, or what it is compared with, was not measured is left out. */
export function judge(scenario: Scenario): Judged[] {
  const all = [...scenario.rows, ...(scenario.derived ?? [])];
  // A peer's name ends with its version.
  const find = (name: string) =>
    all.find(({ subject }) => subject === name || subject.startsWith(`${name} `));
  return scenario.targets.flatMap(({ what, subject, to, atLeast, atMost }) => {
    const row = find(subject);
    const other = to === undefined ? undefined : find(to);
    if (row === undefined || (to !== undefined && other === undefined)) return [];
    const measured = other === undefined ? median(row.values) : ratio(scenario, row, other);
    const own = scenario.rows.includes(row) ? scenario.unit : row.unit;
    const unit = other !== undefined || own === undefined ? '' : ` ${own}`;
    const wanted = atLeast === undefined ? `<= ${atMost}${unit}` : `>= ${atLeast}${unit}`;
    const met =
      measured >= (atLeast ?? Number.NEGATIVE_INFINITY) && measured <= (atMost ?? Number.POSITIVE_INFINITY);
    return [{ what, measured, wanted, met }];
  });
}

/** Three digits that matter. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  return Number(value.toPrecision(3)).toString();
}

const spread = (values: readonly number[]) =>
  `${figure(Math.min(...values))} - ${figure(Math.max(...values))}`;

/** A table of a scenario's rows: medians with their spread, and ratios to the relay and of Sluice to each. */
export function table(scenario: Scenario): string[][] {
  const relays = scenario.rows.filter(({ subject }) => /relay|tunnel|pipe of/.test(subject));
  const relay = relays.length === 1 ? relays[0] : undefined;
  const sluice = relay && scenario.rows.find(({ subject }) => subject.startsWith('Sluice'));
  const head = ['', scenario.unit, 'spread'];
  if (relay !== undefined) head.push(`/ ${relay.subject}`);
  if (sluice !== undefined) head.push(`${sluice.subject} /`);
  const rows = scenario.rows.map((row) => {
    const line = [row.subject, figure(median(row.values)), spread(row.values)];
    if (relay !== undefined) line.push(ratio(scenario, row, relay).toFixed(2));
    if (sluice !== undefined) line.push(row === sluice ? '' : ratio(scenario, sluice, row).toFixed(2));
    return line;
  });
  const derived = (scenario.derived ?? []).map(({ subject, values }) => [
    subject,
    figure(median(values)),
    spread(values),
  ]);
  return [head, ...rows, ...derived];
}

/** The table as text, columns aligned. */
export function aligned(lines: readonly string[][]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
