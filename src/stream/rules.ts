import { SluiceError, shown } from '../errors.js';
import type { FlowRecord } from '../flow/flow.js';
import { compileStreamMatch, type StreamMatch } from '../flow/match.js';
import type { MessageRecord, RequestRecord } from '../flow/message.js';
import { mediaTypeMatches, mediaTypeOf } from '../flow/message-facts.js';
import type { ResponseRecord } from '../flow/response.js';
import type { StreamTransform } from '../flow/types.js';
import type { ResolvedOptions } from '../options/types.js';
import { type RuleListener, ruleListener } from './transforms.js';

/** What a rule says of each side; `undefined` says nothing. */
export interface StreamRuleSides {
  request?: boolean | StreamTransform;
  response?: boolean | StreamTransform;
  /** How many flows the rule is for. Default: all. */
  times?: number;
}

interface StreamRule {
  readonly sides: StreamRuleSides;
  decide(side: 'request' | 'response', flow: FlowRecord): boolean | StreamTransform | undefined;
}

/** The rules of `proxy.stream()`, in order of registration; later ones win. */
export class StreamRules {
  #rules: StreamRule[] = [];

  /**
   * @param context what relative URL globs are resolved against, and how long the proxy's waits wait, in milliseconds
   * @throws SluiceError BAD_MATCH
   */
  add(
    match: StreamMatch,
    rule: boolean | StreamRuleSides,
    { baseURL, waitTimeout }: { baseURL: string | undefined; waitTimeout: number },
  ): () => void {
    const sides = readSides(rule);
    const tests = {
      request: compileStreamMatch(match, 'request', { baseURL }),
      response: compileStreamMatch(match, 'response', { baseURL }),
    };
    const taken = new Set<string>();
    const entry: StreamRule = {
      sides,
      decide: (side, flow) => {
        const wish = sides[side];
        const message = side === 'request' ? flow.request : flow.response;
        if (wish === undefined || message === undefined) return undefined;
        if (sides.times !== undefined && taken.size >= sides.times && !taken.has(flow.id)) return undefined;
        if (!tests[side].test(message, flow)) return undefined;
        if (sides.times !== undefined) taken.add(flow.id);
        return wish;
      },
    };
    this.#rules.push(entry);
    for (const listener of listenersOf(sides)) listener.added?.(waitTimeout);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== entry);
    };
  }

  /** No message comes any more. */
  close(why: string): void {
    for (const { sides } of this.#rules) {
      for (const listener of listenersOf(sides)) listener.closed?.(why);
    }
  }

  /** What the rules say of a message; `undefined` if nothing. A predicate that throws does so through here. */
  decide(side: 'request' | 'response', flow: FlowRecord): boolean | StreamTransform | undefined {
    let decision: boolean | StreamTransform | undefined;
    for (const rule of this.#rules) decision = rule.decide(side, flow) ?? decision;
    return decision;
  }
}

function listenersOf({ request, response }: StreamRuleSides): RuleListener[] {
  return [request, response].flatMap((side) =>
    typeof side === 'function' ? (ruleListener(side) ?? []) : [],
  );
}

function readSides(rule: boolean | StreamRuleSides): StreamRuleSides {
  if (typeof rule === 'boolean') return { request: rule, response: rule };
  const accepted =
    'true, false or { request?, response?, times? } with true, false or a transform for a side';
  const isSide = (v: unknown) => v === undefined || typeof v === 'boolean' || typeof v === 'function';
  if (typeof rule !== 'object' || rule === null) {
    throw new SluiceError('BAD_MATCH', `stream rule: ${shown(rule)} is not accepted; give ${accepted}`);
  }
  const { request, response, times, ...rest } = rule;
  const isTimes = times === undefined || (Number.isInteger(times) && times > 0);
  if (!isSide(request) || !isSide(response) || !isTimes || Object.keys(rest).length > 0) {
    throw new SluiceError('BAD_MATCH', `stream rule: ${shown(rule)} is not accepted; give ${accepted}`);
  }
  return { request, response, times };
}

/** Takes every decision but the hooks': size, content types that stall when buffered, rules. */
export function decideStream(
  message: RequestRecord | ResponseRecord,
  side: 'request' | 'response',
  flow: FlowRecord,
  length: number | undefined,
  rules: StreamRules,
  options: ResolvedOptions,
): void {
  if (length !== undefined && length > options.streamLargeBodies) message.streamByDefault(true);
  if (stalls(message, side, options.streamContentTypes)) message.streamByDefault(true);
  const decision = rules.decide(side, flow);
  if (decision !== undefined) message.stream = decision;
}

function stalls(message: MessageRecord, side: 'request' | 'response', types: string[]): boolean {
  const type = mediaTypeOf(message);
  // Only gRPC's clients wait for answers before they end their request.
  const concerns = (wanted: string) => side === 'response' || wanted.startsWith('application/grpc');
  return types.some((wanted) => mediaTypeMatches(type, wanted) && concerns(wanted));
}
