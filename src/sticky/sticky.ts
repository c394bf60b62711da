/**
 * The options `stickyCookie` and `stickyAuth`, as addons.
 * @module
 */
import { systemTime } from '../clock.js';
import { endpointOf } from '../flow/authority.js';
import { compileFlowMatch, type FlowMatch } from '../flow/match.js';
import type { HttpFlow } from '../flow/types.js';
import type { Hooks } from '../hooks.js';
import type { ResolvedOptions } from '../options/types.js';
import { CookieJar } from './cookie-jar.js';

/** Hosts of which an Authorization is remembered. */
const MOST_HOSTS = 3000;

/** The addons that the options ask for; none if they are not set. */
export function stickyAddons(
  { stickyCookie, stickyAuth }: Pick<ResolvedOptions, 'stickyCookie' | 'stickyAuth'>,
  baseURL: string | undefined,
): Partial<Hooks>[] {
  return [
    ...(stickyCookie === undefined ? [] : [cookies(whereTrue(stickyCookie, baseURL))]),
    ...(stickyAuth === undefined ? [] : [authorizations(whereTrue(stickyAuth, baseURL))]),
  ];
}

/** Calls `then` of flows that match. A promise only where the match is judged asynchronously. */
type Where = (flow: HttpFlow, then: () => void) => Promise<void> | undefined;

/** A match is of requests, also when it is asked about the response: what is remembered there is for requests like these. */
function whereTrue(match: FlowMatch, baseURL: string | undefined): Where {
  const compiled = compileFlowMatch(match, {
    side: 'request',
    ...(baseURL === undefined ? {} : { baseURL }),
  });
  return (flow, then) => {
    // What nobody can resolve goes nowhere.
    if (!URL.canParse(flow.request.url)) return undefined;
    const matches = compiled.test(flow);
    if (typeof matches !== 'boolean') {
      return matches.then((late) => {
        if (late) then();
      });
    }
    if (matches) then();
    return undefined;
  };
}

function cookies(where: Where): Partial<Hooks> {
  const jar = new CookieJar();
  return {
    requestHeaders(flow) {
      const { request } = flow;
      if (jar.empty || request.headers.has('cookie')) return undefined;
      return where(flow, () => {
        const value = jar.cookiesFor(request.url, systemTime());
        if (value !== undefined) request.headers.set('Cookie', value);
      });
    },
    responseHeaders(flow) {
      const lines = flow.response.headers.getAll('set-cookie');
      if (lines.length === 0) return undefined;
      return where(flow, () => {
        for (const line of lines) jar.store(line, flow.request.url, systemTime());
      });
    },
  };
}

function authorizations(where: Where): Partial<Hooks> {
  const known = new Map<string, string>();
  return {
    requestHeaders(flow) {
      const { headers, url } = flow.request;
      const given = headers.get('authorization');
      if (given === undefined && known.size === 0) return undefined;
      return where(flow, () => {
        const { host } = endpointOf(new URL(url));
        const remembered = known.get(host);
        if (given !== undefined) {
          known.set(host, given);
          const [oldest] = known.keys();
          if (known.size > MOST_HOSTS && oldest !== undefined) known.delete(oldest);
        } else if (remembered !== undefined) {
          headers.set('Authorization', remembered);
        }
      });
    },
  };
}
