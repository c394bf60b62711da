import { WEBSOCKET_STYLE } from './page-websocket.js';

/** The page's style sheet. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #fff; --panel: #f6f7f9; --line: #e3e6ea; --text: #1c2127; --dim: #69727d; --accent: #1668c7;
  --hover: #f0f4fa; --code: #fbfbfc; --good: #1a7f45; --good-bg: #e2f4e9; --info: #1668c7; --info-bg: #e3eefb;
  --warn: #95600a; --warn-bg: #fcf0d8; --bad: #c02b32; --bad-bg: #fce7e8; --stream: #6f42c1; --stream-bg: #efe8fa;
  --send: #8fb8e8; --wait: #d5dae1; --receive: #3b8f5f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #15181c; --panel: #1d2126; --line: #2d333b; --text: #dde2e8; --dim: #8d97a3; --accent: #6cb0f5;
    --hover: #20262e; --code: #121518; --good: #6bcf93; --good-bg: #173324; --info: #7db8f7; --info-bg: #172c45;
    --warn: #e5b45c; --warn-bg: #3a2d12; --bad: #ff8a8f; --bad-bg: #45191d; --stream: #c3a5f5; --stream-bg: #2d2145;
    --send: #4a7db8; --wait: #454e59; --receive: #52b07c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text); font: 13px/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header { position: sticky; top: 0; z-index: 2; padding: 14px 20px 12px; background: var(--bg); border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 18px; line-height: 1.3; overflow-wrap: anywhere; }
.totals { margin: 2px 0 0; color: var(--dim); }
.totals b { color: var(--text); font-weight: 600; }
.totals b.bad { color: var(--bad); }
.totals i { margin: 0 7px; font-style: normal; }
.tools { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 10px; }
.tools input { flex: 1 1 280px; max-width: 520px; padding: 6px 10px; border: 1px solid var(--line); border-radius: 7px; background: var(--panel); color: inherit; font: inherit; }
.tools button { padding: 5px 11px; border: 1px solid var(--line); border-radius: 99px; background: var(--bg); color: inherit; font: inherit; cursor: pointer; }
.tools button b { color: var(--dim); font-weight: 600; }
.tools button:hover { background: var(--hover); }
.tools button[aria-pressed=true] { border-color: var(--accent); background: var(--info-bg); color: var(--info); }
.tools button[aria-pressed=true] b { color: inherit; }
.tools output { color: var(--dim); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
main { padding: 0 20px 40px; overflow-x: auto; }
.none { padding: 60px 0; text-align: center; color: var(--dim); font-size: 15px; }
#flows { width: 100%; min-width: 900px; border-collapse: collapse; }
#flows > thead th { padding: 9px 8px 7px; border-bottom: 1px solid var(--line); color: var(--dim); font-size: 11.5px; font-weight: 600; text-align: left; white-space: nowrap; }
#flows > thead th:nth-child(6), #flows > thead th:nth-child(7), #flows > thead th:nth-child(9) { text-align: right; }
.flow { cursor: pointer; scroll-margin-top: 130px; }
.flow > td { padding: 5px 8px; border-bottom: 1px solid var(--line); vertical-align: middle; white-space: nowrap; }
.flow:hover > td, .flow[aria-expanded=true] > td { background: var(--hover); }
.flow[aria-expanded=true] > td { border-bottom-color: transparent; }
.flow.failed > td.open { box-shadow: inset 3px 0 var(--bad); }
td.open { width: 22px; }
td.open span { display: block; width: 7px; height: 7px; margin-left: 2px; border: solid var(--dim); border-width: 0 1.6px 1.6px 0; transform: rotate(-45deg); }
.flow[aria-expanded=true] td.open span { transform: rotate(45deg); }
.method { font-weight: 600; }
.url { width: 48%; max-width: 0; overflow: hidden; text-overflow: ellipsis; }
.host, .dim, .type { color: var(--dim); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.status, .pill, .verdict { display: inline-block; padding: 1px 7px; border-radius: 5px; background: var(--panel); color: var(--dim); font-size: 12px; font-weight: 600; font-variant-numeric: tabular-nums; }
.status + .status { margin-left: 4px; }
.s2 { background: var(--good-bg); color: var(--good); }
.s1, .s3 { background: var(--info-bg); color: var(--info); }
.s4, .status.own { background: var(--warn-bg); color: var(--warn); }
.s5, .status.bad { background: var(--bad-bg); color: var(--bad); }
.pill { background: var(--stream-bg); color: var(--stream); }
.pill + .pill { margin-left: 4px; }
.warned { display: inline-block; width: 16px; margin-right: 5px; border-radius: 5px; background: var(--warn-bg); color: var(--warn); font-size: 12px; font-weight: 700; text-align: center; }
.fall { width: 17%; min-width: 130px; }
.fall div { position: relative; display: flex; min-width: 3px; height: 10px; border-radius: 3px; overflow: hidden; }
.fall i { min-width: 1px; }
.fall i.open { min-width: 6px; }
.send { background: var(--send); } .wait { background: var(--wait); } .receive { background: var(--receive); }
i.open { background: repeating-linear-gradient(45deg, var(--bad) 0 3px, transparent 3px 6px); }
.legend { margin: 12px 0 0; color: var(--dim); font-size: 12px; text-align: right; }
.legend i { display: inline-block; width: 18px; height: 8px; margin: 0 5px 0 14px; border-radius: 2px; }
.tcp { margin: 16px 0 0; padding: 0; list-style: none; overflow-wrap: anywhere; }
.tcp li { padding: 3px 10px; }
.details > td { padding: 4px 8px 18px 30px; border-bottom: 1px solid var(--line); background: var(--hover); }
.callout { margin: 6px 0; padding: 8px 12px; border-left: 3px solid var(--warn); border-radius: 4px; background: var(--warn-bg); overflow-wrap: anywhere; }
.callout.error { border-color: var(--bad); background: var(--bad-bg); }
.callout b { color: var(--warn); } .callout.error b { color: var(--bad); }
.callout pre { margin: 6px 0 0; font: 12px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; }
.facts { display: flex; flex-wrap: wrap; gap: 2px 22px; margin: 6px 0 12px; }
.facts span b { margin-right: 6px; color: var(--dim); font-weight: 500; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 14px; align-items: start; }
.side { min-width: 0; padding: 12px 14px; border: 1px solid var(--line); border-radius: 9px; background: var(--bg); }
.side h2 { margin: 0 0 2px; font-size: 14px; }
.side h3 { margin: 14px 0 4px; color: var(--dim); font-size: 11.5px; font-weight: 600; }
.line { font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.side table { width: 100%; border-collapse: collapse; font-size: 12px; }
.side td, .side th { padding: 2px 12px 2px 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td.mono { font-size: 11px; line-height: 1.6; }
.side th { color: var(--dim); font-weight: 500; white-space: nowrap; overflow-wrap: normal; }
.fields th { width: 1%; color: var(--accent); }
.fields th.long { white-space: normal; overflow-wrap: anywhere; min-width: 180px; }
.parts td { min-width: 64px; }
.parts td:nth-child(2), .parts td:nth-child(3) { min-width: 90px; }
.parts td:nth-child(4) { white-space: nowrap; }
.transfer th:first-child { width: 1%; }
.transfer td { min-width: 150px; width: 50%; }
.fields th, .fields td, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.hidden { color: var(--dim); font-style: italic; }
.note { margin: 4px 0; color: var(--dim); font-style: italic; }
.body { max-height: 420px; margin: 4px 0 0; padding: 9px 11px; overflow: auto; border: 1px solid var(--line); border-radius: 6px; background: var(--code); font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 2; }
.image { display: block; max-width: 100%; max-height: 360px; margin-top: 4px; border: 1px solid var(--line); border-radius: 6px; background: repeating-conic-gradient(#8883 0 25%, transparent 0 50%) 0 0 / 16px 16px; }
.verdict { margin-left: 8px; }
.verdict.good { background: var(--good-bg); color: var(--good); }
.verdict.warn { background: var(--warn-bg); color: var(--warn); }
.verdict.bad { background: var(--bad-bg); color: var(--bad); }
${WEBSOCKET_STYLE}@media (max-width: 940px) {
  #flows { min-width: 0; }
  #flows > thead th:nth-child(10), .flow > .fall, #flows > thead th:nth-child(5), .flow > .type, .legend { display: none; }
}
/* Each flow is a few lines: how it went, its URL, the numbers. */
@media (max-width: 860px) {
  header { position: static; padding: 12px 12px 10px; }
  main { padding: 0 0 30px; }
  .none { padding: 60px 12px; }
  #flows, #flows > tbody, .details, .details > td { display: block; width: auto; }
  #flows > thead { display: none; }
  .flow { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: center; padding: 7px 12px; border-bottom: 1px solid var(--line); scroll-margin-top: 0; }
  .flow[hidden] { display: none; }
  .flow:hover, .flow[aria-expanded=true] { background: var(--hover); }
  .flow > td { padding: 0; border: 0; }
  .flow.failed { box-shadow: inset 3px 0 var(--bad); }
  .flow.failed > td.open { box-shadow: none; }
  td.open { width: 12px; }
  .flow > .url { order: 1; flex: 1 1 100%; width: auto; max-width: none; padding-left: 22px; white-space: normal; overflow-wrap: anywhere; }
  .flow > .outcome { flex: 1 1 auto; }
  .flow > .number, .flow > .bodies { color: var(--dim); font-size: 12px; }
  .flow > .up, .flow > .down, .flow > .bodies { order: 2; }
  .flow > .up:not(:empty)::before { content: '↑ '; }
  .flow > .down:not(:empty)::before { content: '↓ '; }
  .flow > .up:empty, .flow > .down:empty, .flow > .bodies:empty { display: none; }
  .flow > .up { padding-left: 22px; }
  .flow > .up:empty + .down, .flow > .up:empty + .down:empty + .bodies { padding-left: 22px; }
  .details > td { padding: 2px 12px 16px; }
  .side { padding: 10px 11px; overflow-x: auto; }
  .side.socket { padding: 0; }
  .side th { white-space: normal; }
  .fields tr { display: flex; flex-wrap: wrap; }
  .fields th, .fields th.long { width: auto; min-width: 0; overflow-wrap: anywhere; }
  .transfer td, .parts td, .parts td:nth-child(n) { min-width: 0; }
  .parts tr { display: flex; flex-wrap: wrap; }
  .parts tr:first-child { display: none; }
  .frames .row { grid-template-columns: 14px minmax(0, 1fr) 56px; gap: 0 8px; padding: 4px 11px; }
  .frames .at { order: -1; grid-column: 2; text-align: left; }
  .frames .arrow { order: -2; }
  .frames .size { order: -1; grid-column: 3; }
  .frames .content { grid-column: 2 / -1; flex-wrap: wrap; }
  .frames .text { flex-basis: 130px; }
  .frames .body, .frames .note { margin-left: 11px; margin-right: 11px; }
}
@media print { header { position: static; } .tools, .socket button { display: none; } .frames, .body { max-height: none; } }
`;
