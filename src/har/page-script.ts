import { LAY_OUT_JSON } from './layout.js';
import { SHOW_WEBSOCKET, WORDS_OF } from './page-websocket.js';

/**
 * The page's script: opens rows, filters them. Everything from the record goes in as text, never as markup. Written
 * for any browser of the last years, without template strings, since it stands in one.
 */
export const SCRIPT = `
'use strict';${LAY_OUT_JSON}${WORDS_OF}(function () {
  var data = JSON.parse(document.getElementById('data').textContent);
  var rows = Array.from(document.querySelectorAll('tr.flow'));
  var filter = document.getElementById('filter');
  if (!filter) return;
  var buttons = Array.from(document.querySelectorAll('[data-only]'));
  var texts = rows.map(function (row) {
    var url = row.querySelector('.url [title]').title;
    return (row.textContent + ' ' + url).toLowerCase();
  });
  // Those of messages and events are put together when somebody first looks for something.
  var withMessages = false;
  function addMessages() {
    if (withMessages) return;
    withMessages = true;
    rows.forEach(function (row, i) { texts[i] += ' ' + wordsOf(data.flows[row.dataset.i]); });
  }

  function el(tag, className, children) {
    var node = document.createElement(tag);
    if (className) node.className = className;
    [].concat(children === undefined ? [] : children).forEach(function (child) {
      if (child) node.append(child);
    });
    return node;
  }

  function fieldTable(numbers) {
    return el('table', 'fields', numbers.map(function (number) {
      var pair = data.pairs[number];
      var value = el('td', pair[1] === '[redacted]' ? 'hidden' : '', pair[1]);
      return el('tr', '', [el('th', pair[0].length > 36 ? 'long' : '', pair[0]), value]);
    }));
  }

  function grid(heads, lines, className) {
    return el('table', className, [el('tr', '', heads.map(function (head) { return el('th', '', head); }))].concat(
      lines.map(function (line) {
        return el('tr', '', line.map(function (cell, i) {
          var long = /^[0-9a-f]{64}$/.test(cell);
          return el(i === 0 && heads[0] === '' ? 'th' : 'td', long ? 'mono' : '', cell);
        }));
      })
    ));
  }

  function verdict(word) {
    var kind = { intact: 'good', altered: 'warn', incomplete: 'bad' }[word] || '';
    return el('span', 'verdict ' + kind, word);
  }

  function side(title, message) {
    var nodes = [el('h2', '', title), el('div', 'line', message.line)];
    function section(name, content) {
      nodes.push(el('h3', '', name));
      [].concat(content).forEach(function (node) { nodes.push(node); });
    }
    if (message.fields.length) section('Headers', fieldTable(message.fields));
    var body = message.body;
    var shown = body.notes.map(function (note) { return el('p', 'note', note); });
    if (body.text !== undefined) shown.push(el('pre', 'body', body.json ? layOutJson(body.text) : body.text));
    if (body.image) {
      var image = el('img', 'image');
      image.src = body.image;
      image.alt = '';
      shown.push(image);
    }
    if (shown.length) section('Body', shown);
    if (message.parts.length) section('Parts', grid(['name', 'file', 'type', 'size', 'SHA-256'], message.parts, 'parts'));
    if (message.trailers) section('Trailers', fieldTable(message.trailers));
    if (message.transfer) {
      var transfer = message.transfer;
      var heading = ['Transfer', el('span', 'verdict', transfer.streamed ? 'streamed' : 'recorded'), verdict(transfer.verdict)];
      section(heading, grid(['', 'received', 'sent on'], transfer.rows, 'transfer'));
      if (transfer.streamed) nodes[nodes.length - 2].querySelector('.verdict').classList.add('pill');
    }
    return el('section', 'side', nodes);
  }

${SHOW_WEBSOCKET}
  function details(view) {
    var nodes = [];
    if (view.error) {
      var cause = view.error.cause && el('pre', '', view.error.cause);
      nodes.push(el('div', 'callout error', [el('b', '', view.error.code + ' '), view.error.message, cause]));
    }
    view.warnings.forEach(function (text) {
      nodes.push(el('div', 'callout', [el('b', '', 'Warning '), text]));
    });
    nodes.push(el('div', 'facts', view.facts.map(function (fact) {
      return el('span', '', [el('b', '', fact[0]), fact[1]]);
    })));
    if (view.websocket || view.events) nodes.push(frames(view.websocket || view.events));
    var sides = [side('Request', view.request)];
    var last = view.response ? side('Response', view.response) : el('section', 'side', [
      el('h2', '', 'Response'), el('p', 'note', view.error ? 'There was none.' : 'None yet.')
    ]);
    view.informational.forEach(function (interim) {
      last.append(el('h3', '', 'Before it: ' + interim.line), fieldTable(interim.fields));
    });
    nodes.push(el('div', 'sides', sides.concat(last)));
    return nodes;
  }

  function toggle(row, open) {
    var isOpen = row.getAttribute('aria-expanded') === 'true';
    if (open === isOpen) return;
    row.setAttribute('aria-expanded', String(!isOpen));
    if (isOpen) {
      row.nextElementSibling.remove();
      return;
    }
    var cell = el('td', '', details(data.flows[row.dataset.i]));
    cell.colSpan = row.cells.length;
    row.after(el('tr', 'details', cell));
  }

  function visible(row, step) {
    var i = rows.indexOf(row) + step;
    while (rows[i] && rows[i].hidden) i += step;
    return rows[i];
  }

  function apply() {
    var words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    if (words.length) addMessages();
    var only = buttons.filter(function (b) { return b.getAttribute('aria-pressed') === 'true'; });
    var count = 0;
    rows.forEach(function (row, i) {
      var fits = words.every(function (word) {
        var out = word.length > 1 && word[0] === '-';
        return texts[i].includes(out ? word.slice(1) : word) !== out;
      }) && only.every(function (b) { return row.dataset.marks.includes(b.dataset.only); });
      if (!fits) toggle(row, false);
      row.hidden = !fits;
      if (fits) count++;
    });
    document.getElementById('shown').textContent = count === rows.length ? '' : count + ' of ' + rows.length + ' shown';
    document.getElementById('nothing').hidden = count > 0;
  }

  document.getElementById('flows').addEventListener('click', function (event) {
    var row = event.target.closest('tr.flow');
    if (row && String(getSelection()) === '') toggle(row);
  });
  document.getElementById('flows').addEventListener('keydown', function (event) {
    var row = event.target.closest('tr.flow');
    if (!row || event.target !== row) return;
    var next = event.key === 'ArrowDown' ? visible(row, 1) : event.key === 'ArrowUp' ? visible(row, -1) : undefined;
    if (event.key === 'Enter' || event.key === ' ') toggle(row);
    else if (next) next.focus();
    else return;
    event.preventDefault();
  });
  filter.addEventListener('input', apply);
  buttons.forEach(function (button) {
    button.addEventListener('click', function () {
      button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
      apply();
    });
  });
  var wanted = document.getElementById(location.hash.slice(1));
  if (wanted && wanted.classList.contains('flow')) {
    toggle(wanted, true);
    wanted.scrollIntoView({ block: 'start' });
  }
})();
`;
