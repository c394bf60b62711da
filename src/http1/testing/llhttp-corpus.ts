/**
 * Reads the test corpus of llhttp: markdown with a comment that holds JSON, a block with the input and one with the log
 * that llhttp gives of it. The spans of the log are offsets into the input, so its texts need not be unescaped.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface CorpusCase {
  /** `request/sample: Simple request`; a repeated one gets ` (2)`. */
  name: string;
  kind: 'request' | 'response';
  /** What follows the kind in `type`: `lenient-headers`, `finish` or nothing. */
  variant: string;
  /** The body is to be skipped, as it is of responses to HEAD. */
  skipBody: boolean;
  input: Buffer;
  expected: Expected;
}

export interface Expected {
  messages: ExpectedMessage[];
  error: { code: number; at: number; reason: string } | undefined;
  /** What `llhttp_finish` gives: 0 and 1 are clean ends, 2 is not. */
  finish: number | undefined;
}

export interface ExpectedMessage {
  method: string;
  url: string;
  version: string;
  status: number | undefined;
  reason: string;
  fields: [name: string, value: string][];
  trailers: [name: string, value: string][];
  chunks: number[];
  body: string;
  headComplete: boolean;
  complete: boolean;
}

/** @param folder holds `request/*.md` and `response/*.md` */
export function readCorpus(folder: string): CorpusCase[] {
  const cases: CorpusCase[] = [];
  const names = new Map<string, number>();
  for (const direction of ['request', 'response']) {
    for (const file of readdirSync(path.join(folder, direction)).sort()) {
      if (!file.endsWith('.md')) continue;
      const text = readFileSync(path.join(folder, direction, file), 'utf8');
      for (const found of casesOf(text)) {
        const name = `${direction}/${file.slice(0, -3)}: ${found.name}`;
        const seen = (names.get(name) ?? 0) + 1;
        names.set(name, seen);
        cases.push({ ...found, name: seen === 1 ? name : `${name} (${seen})` });
      }
    }
  }
  return cases;
}

function* casesOf(text: string): Generator<CorpusCase> {
  const token = /^#+ +(.+)$|^<!-- *meta=(\{.*\}) *-->|^```(\w+)\n([\s\S]*?)^```/gm;
  let name = '';
  let meta: { type: string; skipBody?: boolean } | undefined;
  let input: Buffer | undefined;
  for (const [, heading, json, language, block = ''] of text.matchAll(token)) {
    if (heading !== undefined) name = heading;
    else if (json !== undefined) meta = JSON.parse(json) as typeof meta;
    else if (language === 'http') input = unescaped(block);
    else if (language === 'log' && meta !== undefined && input !== undefined) {
      const [, kind = '', variant = ''] = /^(request|response)-?(.*)$/.exec(meta.type) ?? [];
      yield {
        name,
        kind: kind === 'request' ? kind : 'response',
        variant,
        skipBody: meta.skipBody === true,
        input,
        expected: readLog(block, input),
      };
      input = undefined;
    }
  }
}

/** Line ends are CRLF, a backslash before one joins the lines, and the escapes are those of C, in part. */
function unescaped(block: string): Buffer {
  const controls: Record<string, string> = { r: '\r', n: '\n', t: '\t', f: '\f' };
  return Buffer.from(
    block
      .replace(/\n$/, '')
      .replace(/\\\n/g, '')
      .replace(/\n/g, '\r\n')
      .replace(/\\(?:([rntf])|x([0-9a-f]{2}))/gi, (_, letter?: string, hex?: string) =>
        letter !== undefined ? (controls[letter] ?? '') : String.fromCharCode(Number.parseInt(hex ?? '', 16)),
      ),
  );
}

function readLog(log: string, input: Buffer): Expected {
  const expected: Expected = { messages: [], error: undefined, finish: undefined };
  const line = /^off=(\d+|NULL) (?:len=(\d+) span\[(\w+)\]=|(.*)$)/gm;
  let message: ExpectedMessage | undefined;
  let field: [name: string, value: string] | undefined;
  for (const [, off, len, span, what = ''] of log.matchAll(line)) {
    const at = Number(off);
    const error = /^error code=(\d+) reason="(.*)"$/.exec(what);
    const finish = /^finish=(\d)$/.exec(what);
    if (what === 'message begin') {
      message = {
        method: '',
        url: '',
        version: '',
        status: undefined,
        reason: '',
        fields: [],
        trailers: [],
        chunks: [],
        body: '',
        headComplete: false,
        complete: false,
      };
      expected.messages.push(message);
    } else if (error !== null) {
      expected.error = { code: Number(error[1]), at, reason: error[2] ?? '' };
    } else if (finish !== null) {
      expected.finish = Number(finish[1]);
    } else if (message !== undefined) {
      if (what.startsWith('headers complete')) {
        message.headComplete = true;
        const status = /status=(\d+)/.exec(what);
        if (status !== null) message.status = Number(status[1]);
      } else if (what === 'message complete') {
        message.complete = true;
      } else if (what === 'header_field complete') {
        field = undefined;
      } else if (what.startsWith('chunk header')) {
        const size = Number(/len=(\d+)/.exec(what)?.[1]);
        if (size > 0) message.chunks.push(size);
      }
      if (span !== undefined) {
        const text = input.toString('latin1', at, at + Number(len));
        if (span === 'method' || span === 'url' || span === 'version' || span === 'body')
          message[span] += text;
        else if (span === 'status') message.reason += text;
        else if (span === 'header_field') {
          const fields = message.headComplete ? message.trailers : message.fields;
          if (field === undefined) {
            field = ['', ''];
            fields.push(field);
          }
          field[0] += text;
        } else if (span === 'header_value') {
          const value = (message.headComplete ? message.trailers : message.fields).at(-1);
          if (value !== undefined) value[1] += text;
        }
      }
    }
  }
  return expected;
}
