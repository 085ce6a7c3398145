"""How the page about a data set looks, beyond what it shares with the report."""

STYLE = """
[hidden] { display: none !important; }
button, select { font: inherit; color: inherit; background: var(--box); border: 1px solid var(--faint);
  border-radius: 4px; padding: 6px 10px; min-height: 40px; max-width: 100%; }
button { cursor: pointer; }
.filters { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: end; margin: 16px 0; }
.filters label { display: grid; color: var(--faint); font-size: .875rem; flex: 1 1 8.5rem; max-width: 13rem; }
.filters select { color: var(--ink); font-size: 1rem; width: 100%; }
.count { margin: 0; min-height: 40px; display: flex; align-items: center; font-variant-numeric: tabular-nums; }
.cards { list-style: none; margin: 8px -7px; padding: 0; display: grid; gap: 12px 20px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); }
.card > button { display: block; width: 100%; height: 100%; padding: 6px; text-align: left; background: none;
  border-color: transparent; }
.card > button:hover { border-color: var(--faint); }
.four { display: grid; grid-template-columns: repeat(4, 1fr); gap: 4px; margin-bottom: 4px; }
.four img { display: block; width: 100%; height: auto; background: var(--box); border-radius: 2px; }
.four span span, .called span { color: var(--faint); font-size: .875rem; }
.called { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; overflow-wrap: anywhere; }
#statistics .panels { max-width: 920px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr));
  gap: 28px 40px; }
.panel small { display: block; }
.heat { display: block; width: 100%; max-width: 18rem; height: auto; margin: 8px 0; border-radius: 2px; }
.column { fill: var(--accent); }
#splits .scroll { margin-bottom: 20px; }
dialog { width: min(1100px, calc(100vw - 16px)); max-width: none; max-height: calc(100vh - 16px); border: 0;
  border-radius: 8px; padding: 16px; background: var(--paper); color: var(--ink); }
dialog::backdrop { background: rgb(0 0 0 / .6); }
.bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-bottom: 12px; }
.bar h3 { flex: 1 1 16rem; }
.large { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr)); gap: 12px; }
.large img { display: block; width: 100%; height: auto; max-height: 37vh; object-fit: contain;
  object-position: left top; image-rendering: pixelated; }
.large span span { color: var(--faint); font-size: .875rem; }
.about .facts { grid-template-columns: 1fr; gap: 0; }
.about dd { margin-bottom: 8px; }
@media (min-width: 900px) { .inside { display: grid; grid-template-columns: 1fr 17rem; gap: 24px; }
  .about dl { margin: 0; } }
@media (max-width: 480px) { .large img { max-height: none; } }
"""
