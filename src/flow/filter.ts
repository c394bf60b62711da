/**
 * Filter expressions as mitmproxy has them: `~m POST & ~u upload`.
 * @module
 */
import { isSluiceError, messageOf, SluiceError } from '../errors.js';
import { formatAuthority } from './authority.js';
import { found } from './subset.js';
import { octetsOf, targetsOf } from './tcp-facts.js';
import type { TcpFlow } from './tcp-types.js';
import type { HttpFlow, Message } from './types.js';

/** A compiled filter expression. */
export interface FlowFilter {
  (flow: HttpFlow | TcpFlow): boolean;
  /** `~m` stands in it. */
  readonly namesMethod: boolean;
}

type AnyFlow = HttpFlow | TcpFlow;
type Test = (flow: AnyFlow) => boolean;
type HttpTest = (flow: HttpFlow) => boolean;

interface Operator {
  /** What follows it. */
  readonly takes?: 'regex' | 'status';
  /** A few words, for help and error messages. */
  readonly help: string;
  /** Makes the test; `hit` looks for the regex in a text. */
  make(hit: (text: string) => boolean, status: number): HttpTest;
  /** The same of TCP flows. Without it, it holds of none. */
  tcp?(hit: (text: string) => boolean): (flow: TcpFlow) => boolean;
}

const ASSET =
  /^(?:text\/(?:css|javascript)|application\/(?:x-)?(?:javascript|shockwave-flash|font)|image\/|font\/)/i;

const both = (look: (message: Message) => boolean): HttpTest => {
  return ({ request, response }) => look(request) || (response !== undefined && look(response));
};
const inResponse = (look: (message: Message) => boolean): HttpTest => {
  return ({ response }) => response !== undefined && look(response);
};
const inRequest = (look: (message: Message) => boolean): HttpTest => {
  return ({ request }) => look(request);
};

type Hit = (text: string) => boolean;
const header = (hit: Hit) => (message: Message) =>
  [...message.headers].some(([name, value]) => hit(`${name}: ${value}`));
const type = (hit: Hit) => (message: Message) => message.headers.getAll('content-type').some(hit);
const body = (hit: Hit) => (message: Message) => {
  const text = textOf(message);
  return text !== '' && hit(text);
};

/** What an end of a TCP flow said. */
const said = (from: 'client' | 'server', hit: Hit) => (flow: TcpFlow) => {
  const text = octetsOf(flow, from).toString();
  return text !== '' && hit(text);
};
const client = (hit: Hit) => (flow: AnyFlow) => hit(addressOf(flow.client));
const server = (hit: Hit) => (flow: AnyFlow) => flow.server !== undefined && hit(addressOf(flow.server));
const failed = (flow: AnyFlow) => flow.error !== undefined;

/** Every operator with its meaning. Regexes ignore case and match anywhere unless anchored. */
const FILTER_OPERATORS: Readonly<Record<string, Operator>> = {
  a: { help: 'asset response', make: () => inResponse(type((text) => ASSET.test(text))) },
  all: { help: 'any flow', make: () => () => true, tcp: () => () => true },
  b: {
    takes: 'regex',
    help: 'body',
    make: (hit) => both(body(hit)),
    tcp: (hit) => (flow) => said('client', hit)(flow) || said('server', hit)(flow),
  },
  bq: {
    takes: 'regex',
    help: 'request body',
    make: (hit) => inRequest(body(hit)),
    tcp: (hit) => said('client', hit),
  },
  bs: {
    takes: 'regex',
    help: 'response body',
    make: (hit) => inResponse(body(hit)),
    tcp: (hit) => said('server', hit),
  },
  c: {
    takes: 'status',
    help: 'status code',
    make: (_, status) => (flow) => flow.response?.status === status,
  },
  d: {
    takes: 'regex',
    help: 'domain',
    make: (hit) => (flow) => hit(hostnameOf(flow.request.url)),
    tcp: (hit) => (flow) => targetsOf(flow).some(([host]) => hit(host)),
  },
  dst: { takes: 'regex', help: "origin's address:port", make: server, tcp: server },
  e: { help: 'ended in an error', make: () => failed, tcp: () => failed },
  h: { takes: 'regex', help: 'header line, as "name: value"', make: (hit) => both(header(hit)) },
  hq: { takes: 'regex', help: 'request header line', make: (hit) => inRequest(header(hit)) },
  hs: { takes: 'regex', help: 'response header line', make: (hit) => inResponse(header(hit)) },
  http: { help: 'HTTP flow', make: () => () => true },
  m: { takes: 'regex', help: 'method', make: (hit) => (flow) => hit(flow.request.method) },
  q: { help: 'request without response', make: () => (flow) => flow.response === undefined },
  s: { help: 'has a response', make: () => (flow) => flow.response !== undefined },
  src: { takes: 'regex', help: "client's address:port", make: client, tcp: client },
  t: { takes: 'regex', help: 'content type', make: (hit) => both(type(hit)) },
  tcp: { help: 'TCP flow', make: () => () => false, tcp: () => () => true },
  tq: { takes: 'regex', help: 'request content type', make: (hit) => inRequest(type(hit)) },
  ts: { takes: 'regex', help: 'response content type', make: (hit) => inResponse(type(hit)) },
  u: {
    takes: 'regex',
    help: 'URL',
    make: (hit) => (flow) => hit(flow.request.url),
    tcp: (hit) => (flow) => targetsOf(flow).some((target) => hit(target.join(':'))),
  },
};

const LISTED = Object.entries(FILTER_OPERATORS)
  .map(([name, { takes, help }]) => `~${name}${takes === undefined ? '' : ` ${takes}`} (${help})`)
  .concat('!', '&', '|', '( )')
  .join(', ');

interface Token {
  kind: 'operator' | 'word' | 'quoted' | '!' | '&' | '|' | '(' | ')';
  text: string;
  at: number;
}

/**
 * Compiles a filter expression. Operands are operators (`~m POST`, `~s`) or a bare regex, which is looked for in the
 * URL; `!` binds tightest, then `&`, then `|`; operands side by side are joined as by `&`. A regex is one word (ended
 * by a space, a parenthesis, a quote or `~`) or quoted, where only `\"` and `\'` mean something else than in a regex.
 * The URL of a TCP flow is `host:port`, its bodies are what its ends said; operators of heads hold of none.
 * @throws SluiceError BAD_MATCH, pointing at the place (also as `at`, an index) and listing the operators
 */
export function compileFilter(text: string): FlowFilter {
  const parser = new Parser(text);
  const test = parser.parse();
  return Object.assign((flow: AnyFlow) => test(flow), { namesMethod: parser.namesMethod });
}

class Parser {
  namesMethod = false;
  readonly #text: string;
  readonly #tokens: Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = this.#read();
  }

  parse(): Test {
    const test = this.#any();
    const rest = this.#tokens[this.#next];
    if (rest !== undefined) throw this.#refuse(rest.at, `${rest.text} closes nothing`);
    return test;
  }

  #any(): Test {
    const tests = [this.#every()];
    while (this.#take('|')) tests.push(this.#every());
    return (flow) => tests.some((test) => test(flow));
  }

  #every(): Test {
    const tests = [this.#not()];
    for (;;) {
      const kind = this.#tokens[this.#next]?.kind;
      if (kind === undefined || kind === '|' || kind === ')') break;
      this.#take('&');
      tests.push(this.#not());
    }
    return (flow) => tests.every((test) => test(flow));
  }

  #not(): Test {
    if (!this.#take('!')) return this.#operand();
    const test = this.#not();
    return (flow) => !test(flow);
  }

  #operand(): Test {
    const token = this.#tokens[this.#next++];
    if (token === undefined) throw this.#refuse(this.#text.length, 'an operator or a regex is missing');
    if (token.kind === 'word' || token.kind === 'quoted') return this.#make('u', token);
    if (token.kind === 'operator') return this.#make(token.text.slice(1), token);
    if (token.kind !== '(')
      throw this.#refuse(token.at, `an operator or a regex is missing before ${token.text}`);
    const test = this.#any();
    if (!this.#take(')')) throw this.#refuse(token.at, 'the parenthesis is not closed');
    return test;
  }

  #make(name: string, token: Token): Test {
    const operator = Object.hasOwn(FILTER_OPERATORS, name) ? FILTER_OPERATORS[name] : undefined;
    if (operator === undefined)
      throw this.#refuse(token.at, `~${name} is not an operator; quote a ~ of a regex`);
    if (name === 'm') this.namesMethod = true;
    if (operator.takes === undefined) return ofEither(operator, () => false, 0);

    const given = token.kind === 'operator' ? this.#tokens[this.#next++] : token;
    if (given?.kind !== 'word' && given?.kind !== 'quoted') {
      const what = operator.takes === 'regex' ? 'a regex' : 'a status code';
      throw this.#refuse(given?.at ?? this.#text.length, `~${name} needs ${what} after it`);
    }
    if (operator.takes === 'regex') {
      const pattern = this.#regex(given);
      return ofEither(operator, (text) => found(pattern, text), 0);
    }
    if (!/^[1-9]\d\d$/.test(given.text)) {
      throw this.#refuse(given.at, `~${name} needs a status code of three digits, not ${given.text}`);
    }
    return ofEither(operator, () => false, Number(given.text));
  }

  #regex(token: Token): RegExp {
    try {
      return new RegExp(token.text, 'is');
    } catch (error) {
      throw this.#refuse(token.at, messageOf(error), error);
    }
  }

  #take(kind: Token['kind']): boolean {
    if (this.#tokens[this.#next]?.kind !== kind) return false;
    this.#next++;
    return true;
  }

  #read(): Token[] {
    const tokens: Token[] = [];
    const lexeme =
      /(?<operator>~[a-z]*)|(?<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?<sign>[()!])|(?<word>[^\s()~'"]+)|(?<space>\s+)/giy;
    while (lexeme.lastIndex < this.#text.length) {
      const at = lexeme.lastIndex;
      const groups = lexeme.exec(this.#text)?.groups;
      if (groups === undefined) throw this.#refuse(at, 'the quote is not closed');
      const { operator, quoted, sign, word } = groups;
      if (operator !== undefined) tokens.push({ kind: 'operator', text: operator, at });
      if (quoted !== undefined) {
        tokens.push({ kind: 'quoted', text: quoted.slice(1, -1).replace(/\\(["'])/g, '$1'), at });
      }
      if (sign === '(' || sign === ')' || sign === '!') tokens.push({ kind: sign, text: sign, at });
      if (word !== undefined) tokens.push(...splitWord(word, at));
    }
    return tokens;
  }

  #refuse(at: number, what: string, cause?: unknown): SluiceError {
    const shownText = this.#text.replace(/\s/g, ' ');
    const lines = [`filter: ${what}`, `  ${shownText}`, `  ${' '.repeat(at)}^`, `operators: ${LISTED}`];
    return Object.assign(new SluiceError('BAD_MATCH', lines.join('\n'), { cause }), { at });
  }
}

/** Parts the `&` and `|` at a word's ends from it; those inside belong to the regex, as in `~u /a|/b` or `a=1&b=2`. */
function splitWord(word: string, at: number): Token[] {
  const tokens: Token[] = [];
  const start = /^[&|]*/.exec(word)?.[0].length ?? 0;
  const end = start === word.length ? start : word.length - (/[&|]*$/.exec(word)?.[0].length ?? 0);
  for (let i = 0; i < word.length; i++) {
    if (i === start && end > start)
      tokens.push({ kind: 'word', text: word.slice(start, end), at: at + start });
    const char = word[i];
    if ((i < start || i >= end) && (char === '&' || char === '|'))
      tokens.push({ kind: char, text: char, at: at + i });
  }
  return tokens;
}

/** The body as text; as it was sent if it cannot be decoded. */
function textOf(message: Message): string {
  try {
    return message.text();
  } catch (error) {
    if (isSluiceError(error) && error.code === 'BAD_BODY') return message.rawBody.toString('latin1');
    throw error;
  }
}

function ofEither(operator: Operator, hit: Hit, status: number): Test {
  const http = operator.make(hit, status);
  const tcp = operator.tcp?.(hit);
  return (flow) => (flow.type === 'tcp' ? tcp?.(flow) === true : http(flow));
}

function addressOf({ address, port }: { address: string; port: number }): string {
  return formatAuthority({ host: address, port });
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
