/**
 * A WebSocket or an event stream in the page: functions of the page's script, which stand among its own, and their style.
 * @module
 */

/** `frames(view)`: messages, or events, as a list. It uses `el` and `layOutJson`; what it shows is text, never markup. */
export const SHOW_WEBSOCKET = `
  function marked(word) {
    var kind = { dropped: 'bad', truncated: 'warn', injected: 'pill', 'not UTF-8': 'warn' }[word] || '';
    return el('span', 'verdict ' + kind, word);
  }

  function frame(row) {
    if (row.gap) return el('li', 'gap', row.gap);
    var binary = row.kind === 'binary' || row.kind === 'ping' || row.kind === 'pong';
    var arrow = el('span', 'arrow ' + (row.up ? 'up' : 'down'), row.up ? '\\u2191' : '\\u2193');
    arrow.title = row.up ? 'sent by the client' : 'sent by the server';
    var content = el('span', 'content', []);
    if (row.kind !== 'text' && row.kind !== 'binary') content.append(el('b', 'kind', row.kind));
    if (row.name) content.append(el('b', 'kind', row.name));
    row.marks.forEach(function (word) { content.append(marked(word)); });
    content.append(el('span', 'text' + (binary ? ' hex' : ''), row.line));
    var cells = [arrow, el('span', 'at', row.time || ''), content, el('span', 'size', row.size || '')];
    if (!row.body) return el('li', row.kind, el('div', 'row', cells));
    var details = el('details', '', el('summary', 'row', cells));
    details.addEventListener('toggle', function () {
      if (!details.open || details.childNodes.length > 1) return;
      row.body.notes.forEach(function (note) { details.append(el('p', 'note', note)); });
      details.append(el('pre', 'body', row.body.json ? layOutJson(row.body.text) : row.body.text));
    });
    return el('li', row.kind, details);
  }

  function frames(view) {
    var list = el('ol', 'frames', view.rows.map(frame));
    list.tabIndex = 0;
    list.setAttribute('aria-label', view.title);
    var all = list.querySelectorAll('details');
    var button = el('button', '', 'Open all');
    button.type = 'button';
    button.addEventListener('click', function () {
      var open = button.textContent === 'Open all';
      all.forEach(function (details) { details.open = open; });
      button.textContent = open ? 'Close all' : 'Open all';
    });
    var heading = el('h2', '', [view.title, el('span', 'verdict end ' + view.mood, view.end)]);
    var facts = el('div', 'facts', view.facts.map(function (fact) {
      return el('span', '', [el('b', '', fact[0]), fact[1]]);
    }));
    return el('section', 'side socket', [
      el('div', 'top', [heading, facts, all.length > 1 && button]),
      view.rows.length ? list : el('p', 'note', 'None was recorded.')
    ]);
  }
`;

/** `wordsOf(flow)`: what is looked for in the texts of its messages or events, in lower case; nothing of binary data. */
export const WORDS_OF = `
function wordsOf(flow) {
  var socket = flow.websocket || flow.events;
  return (socket ? socket.rows : []).filter(function (row) {
    return row.kind === 'text' || row.kind === 'close';
  }).map(function (row) {
    return [row.name, row.line, row.body && row.body.text].filter(Boolean).join(' ');
  }).join('\\n').toLowerCase();
}
`;

export const WEBSOCKET_STYLE = `
.socket { margin-bottom: 14px; padding: 0; overflow: hidden; }
.socket .top { display: flex; flex-wrap: wrap; gap: 4px 22px; align-items: center; padding: 10px 14px; }
.socket .top h2, .socket .top .facts { margin: 0; }
.socket .top h2 { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; }
.socket .end { margin: 0; }
.socket .top button { margin-left: auto; padding: 2px 10px; border: 1px solid var(--line); border-radius: 99px; background: var(--bg); color: inherit; font: inherit; font-size: 12px; cursor: pointer; }
.socket .top button:hover { background: var(--hover); }
.socket .note { margin: 4px 14px 8px; }
.end.good { background: var(--good-bg); color: var(--good); } .end.bad { background: var(--bad-bg); color: var(--bad); }
.end.own { background: var(--warn-bg); color: var(--warn); }
.end.open { background: var(--info-bg); color: var(--info); }
.frames { max-height: 560px; margin: 0; padding: 0; overflow-y: auto; border-top: 1px solid var(--line); list-style: none; }
.frames li + li { border-top: 1px solid var(--line); }
.frames .row { display: grid; grid-template-columns: 16px 76px minmax(0, 1fr) 64px; gap: 0 10px; align-items: baseline; padding: 3px 14px; }
.frames summary { cursor: pointer; list-style: none; }
.frames summary::-webkit-details-marker { display: none; }
.frames summary:hover, .frames details[open] > summary { background: var(--hover); }
.frames summary .text::before { content: ''; display: inline-block; width: 5px; height: 5px; margin: 0 8px 1px 1px; border: solid var(--dim); border-width: 0 1.5px 1.5px 0; transform: rotate(-45deg); vertical-align: middle; }
.frames details[open] .text::before { transform: rotate(45deg); }
.frames .body { max-height: 320px; margin: 2px 14px 9px 40px; }
.frames .note { margin: 4px 14px 4px 40px; }
.arrow { font-weight: 700; text-align: center; }
.arrow.up { color: var(--info); } .arrow.down { color: var(--good); }
.at, .size { color: var(--dim); font-size: 12px; font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.content { display: flex; gap: 6px; align-items: baseline; min-width: 0; }
.content .verdict { flex: none; margin: 0; padding: 0 6px; font-size: 11.5px; }
.content .pill { background: var(--stream-bg); color: var(--stream); }
.content .text { flex: 1 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.content .hex, .kind { color: var(--dim); }
.kind { flex: none; font-size: 12px; font-weight: 600; }
.frames .gap { padding: 7px 14px; background: var(--panel); color: var(--dim); font-style: italic; text-align: center; }
`;
