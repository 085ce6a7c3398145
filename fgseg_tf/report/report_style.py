"""How report.html looks: light or dark as the reader's system is, from 320 px wide on."""

STYLE = """
:root { color-scheme: light dark; --paper: #fcfbf9; --ink: #1d2023; --faint: #62676d; --line: #dcd9d3; --box: #f3f1ec;
  --accent: #1c6a83; --good: #14633a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e9e6e0; --faint: #9da3a9; --line: #33383d;
  --box: #1d2125; --accent: #7fc6dc; --good: #86d6a5; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 20px 16px 64px; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 12px 0 4px; }
h2 { font-size: 1.25rem; margin: 48px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 8px 0; max-width: 68ch; }
small, .faint, figcaption, .legend span { color: var(--faint); font-size: .875rem; }
.lead { color: var(--faint); margin-top: 0; }
.note { border-left: 4px solid var(--accent); padding-left: 12px; }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-top: 16px; }
nav a { padding: 4px 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.figures { display: flex; flex-wrap: wrap; gap: 8px 40px; margin: 16px 0; }
.figures dt { color: var(--faint); font-size: .875rem; }
.figures dd { margin: 0; font-size: 2.5rem; line-height: 1.1; font-weight: 600; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; max-width: 100%; position: relative; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
th, td { padding: 5px 12px 5px 0; text-align: right; vertical-align: baseline; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 4px; }
thead th { font-weight: 400; color: var(--faint); font-size: .875rem; vertical-align: bottom; }
tbody th, thead td { text-align: left; font-weight: 400; }
tbody th small { display: block; line-height: 1.2; }
.group { padding-top: 12px; font-size: .875rem; color: var(--faint); }
td { white-space: nowrap; }
@media (max-width: 480px) { th, td { padding-right: 7px; } table { font-size: .875rem; } tbody th { min-width: 5em; } }
.best b::before { content: "★\\2009"; color: var(--good); font-size: .8em; }
.best b { color: var(--good); }
.best span { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
.tables { display: flex; flex-wrap: wrap; gap: 16px 36px; align-items: flex-start; padding: 8px 0 16px; }
details { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: 10px 0; font-weight: 600; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 16px 24px; }
figure { margin: 0; }
.panel figcaption { color: var(--ink); }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 11px; fill: var(--faint); }
.grid { stroke: var(--line); }
line.stage { stroke: var(--faint); stroke-dasharray: 3 3; }
polyline { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
circle { fill: var(--accent); }
.rungs { display: flex; flex-wrap: wrap; gap: 24px 36px; align-items: flex-end; padding-top: 8px; }
.rung { min-width: min(100%, 335px); max-width: 100%; }
.rung .scroll { margin-top: 8px; }
.rung caption { white-space: nowrap; }
.rung thead th:first-child { text-align: left; }
@media (max-width: 480px) { .rung { width: 100%; } .rung tbody th { min-width: 0; } .rung th { padding-right: 4px; }
  .rung td { padding-right: 4px; } }
.accent polyline { stroke-width: 3; }
.accent line { stroke: var(--accent); }
.accent text { fill: var(--accent); font-weight: 600; }
.rival polyline { stroke: var(--faint); stroke-width: 1.5; }
.rival circle { fill: var(--faint); }
.rival line { stroke: var(--faint); }
.difference polyline { stroke-dasharray: 8 3; }
.mog2 polyline { stroke-dasharray: 2 3; }
.knn polyline { stroke-dasharray: 8 3 2 3; }
.stages { margin: 0; padding-left: 20px; font: .875rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }
.case { margin: 20px 0 28px; }
.case p { margin: 0 0 6px; max-width: none; }
.six { display: grid; grid-template-columns: repeat(2, 1fr); gap: 6px; }
@media (min-width: 700px) { .six { grid-template-columns: repeat(6, 1fr); } }
.six img { display: block; width: 100%; height: auto; background: var(--box); border-radius: 2px; }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: 0 16px; max-width: 640px; }
.legend svg { flex: 1 1 300px; max-width: 400px; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; }
.facts dt { color: var(--faint); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 480px) { .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 8px; } }
pre { overflow: auto; max-height: 22rem; background: var(--box); padding: 12px; border-radius: 4px; }
pre { font: .8125rem/1.5 ui-monospace, monospace; }
"""
