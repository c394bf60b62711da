import type { HttpFlow, TcpFlow } from '../index.js';
import { describeTcp, flowWords, printable, shownError } from '../internal.js';
import type { Paint } from './screen.js';
import { asTyped } from './settings.js';

/** A finished flow in a line, with its warnings in lines of their own. */
export function flowLines(flow: HttpFlow, paint: Paint): string[] {
  const { request, outcome, facts } = flowWords(flow, { ended: true });
  const colour = outcomeColour(flow, paint);
  return [
    `${request} → ${colour(asTyped(outcome))} ${paint.dim(`(${facts})`)}`,
    ...warningLines(flow, paint),
  ];
}

/** A finished TCP flow. */
export function tcpFlowLines(flow: TcpFlow, paint: Paint): string[] {
  const line = describeTcp(flow);
  return [flow.error === undefined ? line : paint.red(line), ...warningLines(flow, paint)];
}

function warningLines({ warnings }: HttpFlow | TcpFlow, paint: Paint): string[] {
  return warnings.map((warning) => paint.yellow(`  warning: ${printable(asTyped(warning))}`));
}

function outcomeColour(flow: HttpFlow, paint: Paint): (text: string) => string {
  const status = flow.response?.status ?? 0;
  if (shownError(flow) !== undefined || status >= 500) return paint.red;
  return status >= 400 ? paint.yellow : paint.green;
}
