/** What was agreed on about compression (RFC 7692 section 7.1). */
export interface DeflateParameters {
  client: DeflateSide;
  server: DeflateSide;
}

/** Of one direction. */
export interface DeflateSide {
  /** Each message is compressed by itself. */
  noContextTakeover: boolean;
  /** The window's size: 2 to the power of this. */
  windowBits: number;
}

/** The extensions of a connection, as its handshake's response names them. */
export interface Extensions {
  deflate: DeflateParameters | undefined;
  /** Those that change frames in ways that are not known here. */
  unknown: string[];
}

const MAX_WINDOW = 15;

/** Reads a Sec-WebSocket-Extensions field of a response (RFC 6455 section 9.1). */
export function parseExtensions(field: string | undefined): Extensions {
  const extensions: Extensions = { deflate: undefined, unknown: [] };
  for (const element of splitOutsideQuotes(field ?? '', ',')) {
    const [name = '', ...parameters] = splitOutsideQuotes(element, ';');
    if (name === '') continue;
    const deflate = name.toLowerCase() === 'permessage-deflate' ? deflateOf(parameters) : undefined;
    if (deflate === undefined || extensions.deflate !== undefined) extensions.unknown.push(name);
    else extensions.deflate = deflate;
  }
  return extensions;
}

const PARAMETER =
  /^(client|server)_(?:(no_context_takeover)|max_window_bits(?:\s*=\s*(?:([1-9]\d?)|"([1-9]\d?)"))?)$/i;

/** `undefined` for parameters that RFC 7692 does not know, or not in that way. */
function deflateOf(parameters: string[]): DeflateParameters | undefined {
  const side = (): DeflateSide => ({ noContextTakeover: false, windowBits: MAX_WINDOW });
  const agreed: DeflateParameters = { client: side(), server: side() };
  const seen = new Set<string>();
  for (const parameter of parameters) {
    const [, end, noTakeover, bits, quotedBits] = PARAMETER.exec(parameter) ?? [];
    if (end === undefined) return undefined;
    const of = agreed[end.toLowerCase() as 'client' | 'server'];
    const name = `${end}${noTakeover}`.toLowerCase();
    if (seen.has(name)) return undefined;
    seen.add(name);
    if (noTakeover !== undefined) of.noContextTakeover = true;
    else of.windowBits = Number(bits ?? quotedBits ?? MAX_WINDOW);
    if (of.windowBits < 8 || of.windowBits > MAX_WINDOW) return undefined;
  }
  return agreed;
}

/** A quote that is not closed reaches to the end. */
function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  const pattern = separator === ',' ? /(?:"(?:\\.|[^"\\])*"?|[^,"])+/g : /(?:"(?:\\.|[^"\\])*"?|[^;"])+/g;
  return (text.match(pattern) ?? []).map((part) => part.trim());
}
