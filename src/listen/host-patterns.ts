import { type Authority, formatAuthority } from '../flow/authority.js';

/** Whether `ignoreHosts` or `tcpHosts` names where a tunnel leads. */
export function isListed(patterns: readonly RegExp[], where: Authority): boolean {
  if (patterns.length === 0) return false;
  const text = formatAuthority(where);
  return patterns.some((pattern) => pattern.test(text));
}
