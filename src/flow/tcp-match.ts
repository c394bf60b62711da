/**
 * What selects TCP flows.
 * @module
 */
import { types } from 'node:util';
import { SluiceError } from '../errors.js';
import { describeValue } from './describe.js';
import { wildcardToRegExp } from './glob.js';
import { found } from './subset.js';
import { targetsOf } from './tcp-facts.js';
import type { TcpFlow, TcpFlowMatch } from './tcp-types.js';

/** A match of TCP flows, checked and ready. */
export interface CompiledTcpMatch {
  /** The match as it was typed, for messages. */
  readonly describe: string;
  /** @throws whatever the caller's function throws */
  test(flow: TcpFlow): boolean | Promise<boolean>;
}

/** @throws SluiceError BAD_MATCH for anything that selects no flow */
export function compileTcpMatch(match: TcpFlowMatch): CompiledTcpMatch {
  const describe = describeValue(match);
  if (typeof match === 'function') {
    const test = (flow: TcpFlow): boolean | Promise<boolean> => {
      const answer: unknown = match(flow);
      return types.isPromise(answer) ? answer.then(Boolean) : Boolean(answer);
    };
    return { describe, test };
  }
  if (types.isRegExp(match)) {
    return { describe, test: (flow) => targetsOf(flow).some((target) => found(match, target.join(':'))) };
  }
  if (typeof match !== 'string' || match === '' || /[/\s]/.test(match)) {
    throw new SluiceError(
      'BAD_MATCH',
      `match: ${describe} is not accepted; give a glob of a host name or host:port, as 'db.test:5432', a RegExp that is looked for in host:port, or a function`,
    );
  }
  const pattern = wildcardToRegExp(match, 'host');
  const test = (flow: TcpFlow) =>
    targetsOf(flow).some(([host, port]) => pattern.test(host) || pattern.test(`${host}:${port}`));
  return { describe, test };
}
