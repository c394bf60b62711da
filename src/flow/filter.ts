/**
 * Filter expressions as mitmproxy has them: `~m POST & ~u upload`.
 * @module
 */
import { isSluiceError, messageOf, SluiceError } from '../errors.js';
import { found } from './subset.js';
import type { HttpFlow, Message } from './types.js';

/** A compiled filter expression. */
export interface FlowFilter {
  (flow: HttpFlow): boolean;
  /** `~m` stands in it. */
  readonly namesMethod: boolean;
}

type Test = (flow: HttpFlow) => boolean;

interface Operator {
  /** What follows it. */
  readonly takes?: 'regex' | 'status';
  /** A few words, for help and error messages. */
  readonly help: string;
  /** Makes the test; `hit` looks for the regex in a text. */
  make(hit: (text: string) => boolean, status: number): Test;
}

const ASSET =
  /^(?:text\/(?:css|javascript)|application\/(?:x-)?(?:javascript|shockwave-flash|font)|image\/|font\/)/i;

const both = (look: (message: Message) => boolean): Test => {
  return ({ request, response }) => look(request) || (response !== undefined && look(response));
};
const inResponse = (look: (message: Message) => boolean): Test => {
  return ({ response }) => response !== undefined && look(response);
};
const inRequest = (look: (message: Message) => boolean): Test => {
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

/** Every operator with its meaning. Regexes ignore case and match anywhere unless anchored. */
const FILTER_OPERATORS: Readonly<Record<string, Operator>> = {
  a: { help: 'asset response', make: () => inResponse(type((text) => ASSET.test(text))) },
  all: { help: 'any flow', make: () => () => true },
  b: { takes: 'regex', help: 'body', make: (hit) => both(body(hit)) },
  bq: { takes: 'regex', help: 'request body', make: (hit) => inRequest(body(hit)) },
  bs: { takes: 'regex', help: 'response body', make: (hit) => inResponse(body(hit)) },
  c: {
    takes: 'status',
    help: 'status code',
    make: (_, status) => (flow) => flow.response?.status === status,
  },
  d: { takes: 'regex', help: 'domain', make: (hit) => (flow) => hit(hostnameOf(flow.request.url)) },
  e: { help: 'ended in an error', make: () => (flow) => flow.error !== undefined },
  h: { takes: 'regex', help: 'header line, as "name: value"', make: (hit) => both(header(hit)) },
  hq: { takes: 'regex', help: 'request header line', make: (hit) => inRequest(header(hit)) },
  hs: { takes: 'regex', help: 'response header line', make: (hit) => inResponse(header(hit)) },
  http: { help: 'HTTP flow', make: () => (flow) => flow.type === 'http' },
  m: { takes: 'regex', help: 'method', make: (hit) => (flow) => hit(flow.request.method) },
  q: { help: 'request without response', make: () => (flow) => flow.response === undefined },
  s: { help: 'has a response', make: () => (flow) => flow.response !== undefined },
  t: { takes: 'regex', help: 'content type', make: (hit) => both(type(hit)) },
  tq: { takes: 'regex', help: 'request content type', make: (hit) => inRequest(type(hit)) },
  ts: { takes: 'regex', help: 'response content type', make: (hit) => inResponse(type(hit)) },
  u: { takes: 'regex', help: 'URL', make: (hit) => (flow) => hit(flow.request.url) },
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
 * @throws SluiceError BAD_MATCH, pointing at the place (also as `at`, an index) and listing the operators
 */
export function compileFilter(text: string): FlowFilter {
  const parser = new Parser(text);
  const test = parser.parse();
  return Object.assign((flow: HttpFlow) => test(flow), { namesMethod: parser.namesMethod });
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
    if (operator.takes === undefined) return operator.make(() => false, 0);

    const given = token.kind === 'operator' ? this.#tokens[this.#next++] : token;
    if (given?.kind !== 'word' && given?.kind !== 'quoted') {
      const what = operator.takes === 'regex' ? 'a regex' : 'a status code';
      throw this.#refuse(given?.at ?? this.#text.length, `~${name} needs ${what} after it`);
    }
    if (operator.takes === 'regex') {
      const pattern = this.#regex(given);
      return operator.make((text) => found(pattern, text), 0);
    }
    if (!/^[1-9]\d\d$/.test(given.text)) {
      throw this.#refuse(given.at, `~${name} needs a status code of three digits, not ${given.text}`);
    }
    return operator.make(() => false, Number(given.text));
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

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
