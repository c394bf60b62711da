/**
 * Globs, with the meaning that Playwright gives them in `page.route`.
 * @module
 */
import { SluiceError, shown } from '../errors.js';

const REGEXP_SYNTAX = /[$^+.*()|\\?{}[\]]/;
/** Schemes whose URLs have no parts to resolve. */
const OPAQUE = /^(?:about|data|chrome|edge|file):/;

/**
 * The RegExp of a whole-string glob: `*` any characters but `/`, `**` any characters, a `**` between slashes also
 * none at all, `{a,b}` either, `\` takes the next character literally. Anything else, `?` included, stands for itself.
 * @throws SluiceError BAD_MATCH for braces that are nested or not closed
 */
export function globToRegExp(glob: string, flags = ''): RegExp {
  const refuse = (what: string): SluiceError =>
    new SluiceError('BAD_MATCH', `glob ${shown(glob)}: ${what}; write \\{ or \\} for the character itself`);
  let source = '';
  let braced = false;
  for (let i = 0; i < glob.length; i++) {
    const char = glob.charAt(i);
    if (char === '*') {
      const start = i;
      while (glob[i + 1] === '*') i++;
      if (i === start) {
        source += '[^/]*';
      } else if (glob[i + 1] !== '/') {
        source += '.*';
      } else {
        source += glob[start - 1] === '/' ? '(?:.+/)?' : '.*/';
        i++;
      }
    } else if (char === '{') {
      if (braced) throw refuse('braces cannot be nested');
      braced = true;
      source += '(?:';
    } else if (char === '}') {
      if (!braced) throw refuse("'}' closes nothing");
      braced = false;
      source += ')';
    } else if (char === ',' && braced) {
      source += '|';
    } else if (char === '\\' && i + 1 < glob.length) {
      i++;
      source += literal(glob.charAt(i));
    } else {
      source += literal(char);
    }
  }
  if (braced) throw refuse("'{' is not closed");
  return new RegExp(`^${source}$`, flags);
}

/**
 * The RegExp of a `host` or `path` glob: the syntax of {@link globToRegExp}; a host's case does not matter, and a bare
 * IPv6 address gets the brackets that it has in URLs.
 * @throws SluiceError BAD_MATCH as {@link globToRegExp}
 */
export function wildcardToRegExp(pattern: string, kind: 'host' | 'path'): RegExp {
  if (kind === 'path') return globToRegExp(pattern);
  const bareIpv6 = /^[\da-f*:.]*:[\da-f*:.]*:[\da-f*:.]*$/i.test(pattern);
  return globToRegExp(bareIpv6 ? `[${pattern}]` : pattern, 'i');
}

/**
 * A test of absolute URLs against a glob. One that does not start with `*` is first resolved as a URL would be, so that
 * `/api/*` is one of `baseURL`, `https://app.test` has the path `/` and `HTTPS://App.test/` matches. For a URL of
 * a WebSocket `baseURL` counts as `ws:` or `wss:`.
 * @throws SluiceError BAD_MATCH as {@link globToRegExp}
 */
export function urlMatcher(glob: string, baseURL?: string): (url: string) => boolean {
  const http = globToRegExp(resolveGlob(glob, baseURL));
  const socketBase = baseURL?.replace(/^http(s?):\/\//i, 'ws$1://').replace(/^wsS/, 'wss');
  const socket = socketBase === baseURL ? http : globToRegExp(resolveGlob(glob, socketBase));
  return (url) => (/^wss?:/i.test(url) ? socket : http).test(url);
}

/** Resolves what is literal of a glob with the URL parser, wildcards hidden from it behind stand-ins. */
function resolveGlob(glob: string, baseURL: string | undefined): string {
  if (glob.startsWith('*')) return glob;
  const text = glob.replaceAll('\\\\?', '?');
  if (OPAQUE.test(text)) return text;

  const hidden: [standIn: string, original: string][] = [];
  const hide = (original: string, standIn: string): string => {
    if (original === '') return '';
    hidden.push([standIn, original]);
    return standIn;
  };
  const hiddenText = text
    .split('/')
    .map((part, index) => {
      // The parser needs a scheme that it knows to make out the host.
      if (index === 0 && part.endsWith(':')) return /[*{]/.test(part) ? hide(part, 'http:') : part;
      if (!/[*?{}\\]/.test(part)) return part;
      const query = part.includes('?') ? part.indexOf('?') : part.length;
      return hide(part.slice(0, query), `$${index}$`) + hide(part.slice(query), `?$${index}$`);
    })
    .join('/');

  const url = parse(hiddenText, baseURL);
  let resolved = url?.href ?? hiddenText;
  for (const [standIn, original] of hidden) {
    const inOrigin = url?.origin.includes(standIn) ?? false;
    resolved = resolved.replace(standIn, () => (inOrigin ? original.toLowerCase() : original));
  }
  return resolved;
}

function parse(url: string, base: string | undefined): URL | undefined {
  return URL.canParse(url, base) ? new URL(url, base) : undefined;
}

function literal(char: string): string {
  return REGEXP_SYNTAX.test(char) ? `\\${char}` : char;
}
