import { SluiceError, shown } from './errors.js';
import { checkRespondInit } from './exchange/answer.js';
import { FlowRecord } from './flow/flow.js';
import { type CompiledMatch, compileFlowMatch, type FlowMatch } from './flow/match.js';
import { RequestRecord } from './flow/message.js';
import type { HttpFlow, RespondInit } from './flow/types.js';

/** An answer, or what makes one for a flow; `undefined` leaves the flow to the next rule, or the origin. */
export type Answer =
  | RespondInit
  | ((flow: HttpFlow) => RespondInit | undefined | Promise<RespondInit | undefined>);

interface AnswerRule {
  match: CompiledMatch;
  /** The match, without what a preflight can't tell of the request that it announces. */
  announced: CompiledMatch;
  answer: Answer;
  left: number;
}

/** The rules of `proxy.respond()`. The newest that matches answers, as with `page.route`. */
export class AnswerRules {
  #rules: AnswerRule[] = [];

  /** @throws SluiceError BAD_MATCH or BAD_RESPONSE */
  add(match: FlowMatch, answer: Answer, times: number | undefined, baseURL: string | undefined): () => void {
    if (typeof answer !== 'function') checkRespondInit(answer);
    if (times !== undefined && !(Number.isInteger(times) && times > 0)) {
      throw new SluiceError('BAD_MATCH', `respond: times ${shown(times)}; a whole number over 0 is accepted`);
    }
    const compiled = compileFlowMatch(match, { baseURL, side: 'request' });
    const announced = compileFlowMatch(foretold(match), { baseURL, side: 'request' });
    const rule: AnswerRule = { match: compiled, announced, answer, left: times ?? Number.POSITIVE_INFINITY };
    this.#rules.unshift(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  /** The answer to a request that has come whole; a promise only where there are rules. @throws what a rule threw */
  find(flow: FlowRecord): RespondInit | undefined | Promise<RespondInit | undefined> {
    return this.#rules.length === 0 ? undefined : this.#find(flow);
  }

  async #find(flow: FlowRecord): Promise<RespondInit | undefined> {
    const announced = flow.preflight ? announcedBy(flow) : undefined;
    for (const rule of this.#rules) {
      if (rule.left <= 0) continue;
      if (announced !== undefined && (await rule.announced.test(announced))) return preflightAnswer(flow);
      if (!(await rule.match.test(flow)) || rule.left <= 0) continue;
      rule.left--;
      const answer = typeof rule.answer === 'function' ? await rule.answer(flow) : rule.answer;
      if (answer === undefined) {
        rule.left++;
        continue;
      }
      checkRespondInit(answer);
      return allowOrigin(flow, answer);
    }
    return undefined;
  }
}

/** What of a match a CORS preflight can already meet: it has neither the fields nor the body of what it announces. */
function foretold(match: FlowMatch): FlowMatch {
  if (typeof match !== 'object' || match instanceof RegExp) return match;
  const { headers, contentType, largerThan, json, ...rest } = match;
  return Object.values(rest).some((value) => value !== undefined) ? rest : '**';
}

/** The request that a CORS preflight asks leave for, as far as it tells. */
function announcedBy(flow: FlowRecord): FlowRecord {
  const announced = new FlowRecord(flow.id, flow.client, undefined);
  const headers = flow.request.headers.clone();
  const method = headers.get('access-control-request-method') ?? 'GET';
  headers.delete('access-control-request-method');
  announced.request = new RequestRecord(announced, {
    method,
    url: flow.request.url,
    version: flow.request.httpVersion,
    headers,
  });
  return announced;
}

/** Without this the page would never send the request that the rule is there to answer. */
function preflightAnswer(flow: FlowRecord): RespondInit {
  const { headers } = flow.request;
  return allowOrigin(flow, {
    status: 204,
    headers: {
      'Access-Control-Allow-Methods': headers.get('access-control-request-method') ?? '*',
      'Access-Control-Allow-Headers': headers.get('access-control-request-headers') ?? '*',
      ...(headers.has('access-control-request-private-network') && {
        'Access-Control-Allow-Private-Network': 'true',
      }),
    },
  });
}

function allowOrigin(flow: FlowRecord, answer: RespondInit): RespondInit {
  const origin = flow.request.headers.get('origin');
  const names = Object.keys(answer.headers ?? {}).map((name) => name.toLowerCase());
  if (origin === undefined || names.includes('access-control-allow-origin')) return answer;
  const allowed = {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    Vary: 'Origin',
  };
  return { ...answer, headers: { ...allowed, ...answer.headers } };
}
