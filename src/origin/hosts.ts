import { isIPv6 } from 'node:net';
import { SluiceError, shown } from '../errors.js';
import { withBrackets, withoutBrackets } from '../flow/authority.js';
import { wildcardToRegExp } from '../flow/glob.js';

/** Where a name's traffic goes instead. */
export interface MappedHost {
  host: string;
  /** The request's own port, if the target names none. */
  port: number | undefined;
  /** Whether to speak TLS there, if the target says. */
  tls: boolean | undefined;
}

interface Entry {
  pattern: string;
  regExp: RegExp;
  port: number | undefined;
  target: MappedHost;
}

/** The `hosts` option and `mapHost()`: names to addresses. The most specific entry wins, of equal ones the newest. */
export class HostMap {
  #entries: Entry[] = [];

  /** @throws SluiceError BAD_OPTION */
  constructor(hosts: Record<string, string> = {}) {
    for (const [name, target] of Object.entries(hosts)) this.add(name, target);
  }

  /** @returns what removes the entry again. @throws SluiceError BAD_OPTION */
  add(name: string, target: string): () => void {
    const { host, port } = splitPort(name) ?? { host: name, port: undefined };
    if (!isHost(host) || /[/@]/.test(name)) {
      throw new SluiceError(
        'BAD_OPTION',
        `hosts: ${shown(name)} is not a name; give 'name', '*.name', 'name:port' or '*'`,
      );
    }
    const entry: Entry = {
      pattern: host,
      port,
      regExp: wildcardToRegExp(host, 'host'),
      target: readTarget(target),
    };
    this.#entries.push(entry);
    return () => {
      this.#entries = this.#entries.filter((other) => other !== entry);
    };
  }

  find(host: string, port: number): MappedHost | undefined {
    if (this.#entries.length === 0) return undefined;
    let best: Entry | undefined;
    // Globs of hosts have IPv6 addresses as URLs do.
    const name = withBrackets(host);
    for (const entry of this.#entries) {
      if (entry.port !== undefined && entry.port !== port) continue;
      if (!entry.regExp.test(name)) continue;
      if (best === undefined || weight(entry) >= weight(best)) best = entry;
    }
    return best?.target;
  }
}

/** A name beats a pattern, a longer pattern a shorter one, and a port counts on top. */
function weight(entry: Entry): number {
  const literal = entry.pattern.replace(/\*/g, '').length;
  return (entry.pattern.includes('*') ? literal : 1000) * 2 + (entry.port === undefined ? 0 : 1);
}

function readTarget(target: string): MappedHost {
  const scheme = /^(https?):\/\/(.*?)\/?$/i.exec(target);
  const address = scheme?.[2] ?? target;
  const { host, port } = splitPort(address) ?? { host: withoutBrackets(address), port: undefined };
  if (!isHost(host) || /[/@*]/.test(host)) {
    throw new SluiceError(
      'BAD_OPTION',
      `hosts: ${shown(target)} is not a target; give 'host', 'host:port', 'http://host:port' or 'https://host:port'`,
    );
  }
  const tls = scheme?.[1] === undefined ? undefined : scheme[1].toLowerCase() === 'https';
  return { host, port: port ?? (tls === undefined ? undefined : tls ? 443 : 80), tls };
}

/** Only IPv6 addresses have colons in them: elsewhere a port was meant, and is none. */
function isHost(host: string): boolean {
  return host !== '' && !/\s/.test(host) && (!host.includes(':') || isIPv6(withoutBrackets(host)));
}

/** `host:port`, where there is a port. IPv6 addresses take brackets then. */
export function splitPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || host === '' || port > 65535 || port === 0 ? undefined : { host, port };
}
