/**
 * A function in the page's script, `layOutJson(text)`: JSON with line breaks and indentation, every token as it stands
 * in the text, so that numbers keep their digits and repeated keys stay. It takes JSON whose end is missing. Nesting
 * past 30 levels is not indented further, or the indentation would outweigh the text.
 */
export const LAY_OUT_JSON = `
function layOutJson(text) {
  var tokens = text.match(/"(?:[^"\\\\]|\\\\[^])*(?:"|\\\\?$)|[\\[\\]{},:]|[^\\s"\\[\\]{},:]+/g) || [];
  var lines = [];
  var line = '';
  var depth = 0;
  var opened = false;
  function next() {
    lines.push(line);
    line = '  '.repeat(Math.max(0, Math.min(depth, 30)));
  }
  tokens.forEach(function (token) {
    var opens = token === '{' || token === '[';
    var closes = token === '}' || token === ']';
    if (closes) depth--;
    if (opened ? !closes : closes) next();
    if (opens) depth++;
    line += token === ':' ? ': ' : token;
    if (token === ',') next();
    opened = opens;
  });
  return lines.concat(line).join('\\n');
}
`;
