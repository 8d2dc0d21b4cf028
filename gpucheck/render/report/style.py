"""What doctor's page needs beyond the common style sheet: cards, the tree of causes, the map of copies."""

STYLE = """
.verdict { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: baseline; padding: 1rem 1.2rem;
  border-radius: .6rem; border: 1px solid currentColor; margin: 0 0 .6rem; print-color-adjust: exact; }
.verdict.ok { background: var(--ok-ground); } .verdict.error { background: var(--error-ground); }
.verdict.warning { background: var(--warning-ground); } .verdict.unknown { background: var(--unknown-ground); }
.verdict strong { font-size: 1.5rem; line-height: 1.2; letter-spacing: .02em; }
.verdict span { flex: 1 1 20rem; color: var(--ink); font-size: 1.05rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1.1rem; }
.card, .verdict { overflow: clip; overflow-clip-margin: 4px; }
.card > :first-child { margin-top: 0; } .card > :last-child { margin-bottom: 0; }
.label { font-size: .78rem; font-weight: 700; text-transform: uppercase; letter-spacing: .06em; color: var(--soft);
  margin: .8rem 0 .2rem; }
.machines { list-style: none; padding: 0; margin: 0 0 1rem; } .machines li { padding: .25rem 0; }
.machine { border-top: 3px solid var(--line); margin-top: 2.5rem; padding-top: .5rem; }
.tree { list-style: none; margin: 0; padding: 0; }
.tree > .branch { margin: 0 0 1rem; }
.tree:not(.follows) > .branch > .card { border-left-width: 5px; }
.error-edge > .card { border-left-color: var(--error); } .warning-edge > .card { border-left-color: var(--warning); }
.note-edge > .card { border-left-color: var(--note); } .unknown-edge > .card, .card.unknown-edge {
  border-left-color: var(--unknown); }
.card.unknown-edge { border-left-width: 5px; } .card.unknown-edge ul { margin: .3rem 0 0; padding-left: 1.3rem; }
.name .badge { vertical-align: .1em; margin: 0 .25rem .2rem 0; }
.explains { font-size: .78rem; font-weight: 700; text-transform: uppercase; letter-spacing: .06em; color: var(--soft);
  margin: 1rem 0 .3rem; }
.follows { padding-left: .3rem; }
.follows > .branch { position: relative; padding: 0 0 .8rem 1.6rem; margin: 0; }
.follows > .branch::before { content: ""; position: absolute; left: 0; top: 0; bottom: 0; border-left: 2px solid
  var(--line); }
.follows > .branch::after { content: ""; position: absolute; left: 0; top: .75rem; width: 1.2rem; border-top: 2px solid
  var(--line); }
.follows > .branch:last-child { padding-bottom: 0; } .follows > .branch:last-child::before { bottom: auto;
  height: .85rem; }
.follows .name { margin-top: 0; }
.evidence { list-style: disc; margin: .2rem 0; padding-left: 1.1rem; color: var(--soft); font-size: .92rem; }
.evidence code { color: var(--ink); }
.gpus { list-style: none; margin: 0; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
.gpus .facts { grid-template-columns: 7rem minmax(0, 1fr); font-size: .92rem; gap: .2rem .6rem; }
.gpus .facts dt { margin: 0; font-weight: 400; color: var(--soft); }
.memory { font-size: .92rem; } .memory .bar { display: block; height: .5rem; border-radius: .25rem; margin-top: .25rem;
  background: var(--shade); border: 1px solid var(--line); overflow: hidden; print-color-adjust: exact; }
.memory .used { display: block; height: 100%; background: var(--note); print-color-adjust: exact; }
.lanes { display: grid; gap: .8rem; margin: .6rem 0; grid-template-columns: minmax(0, 1fr); }
.way { list-style: none; margin: .6rem 0 0; padding: 0; }
.stop { position: relative; padding: 0 0 .9rem 1.9rem; } .stop:last-child { padding-bottom: 0; }
.stop p { margin: .05rem 0; } .stop details { margin: .1rem 0 0; } .stop .soft { font-size: .9rem; }
.stop::before { content: ""; position: absolute; left: .2rem; top: .32rem; width: .9rem; height: .9rem;
  border-radius: 50%; border: 2px solid var(--soft); background: var(--card); z-index: 1; print-color-adjust: exact; }
.stop.loaded::before { background: var(--ok); border-color: var(--ok); }
.stop.broken::before { background: var(--error); border-color: var(--error); border-radius: .15rem; }
.stop.out-of-reach::before { border-style: dashed; }
.stop:not(:last-child)::after { content: ""; position: absolute; left: calc(.65rem - 1px); top: 1rem; bottom: -.4rem;
  border-left: 2px solid var(--line); }
.stop:has(+ .out-of-reach)::after { border-left-style: dotted; }
.stop .version { font-weight: 600; }
.chips { list-style: none; margin: .3rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem .5rem; }
.chips li { border: 1px solid var(--line); border-radius: .4rem; padding: .05rem .5rem; font-size: .85rem; }
.places, .folders, .rows, .clues { margin: .3rem 0; padding-left: 1.4rem; font-size: .92rem; }
.rows { list-style: none; padding-left: .2rem; } .rows li { padding: .12rem 0; border-bottom: 1px solid var(--line); }
.facts-of-all details { margin: 0; } .facts-of-all details + details { border-top: 1px solid var(--line); }
.facts-of-all summary { padding: .3rem 0; } .rows li:last-child { border: 0; }
.names { columns: 16rem; list-style: none; margin: .3rem 0; padding: 0; }
.clues li { margin: .5rem 0; } .clues pre { margin: .2rem 0; }
.lean { font-size: .92rem; table-layout: fixed; } .lean th, .lean td { padding: .3rem .5rem .3rem 0; }
.lean th:first-child { width: 30%; } .lean .folders { margin: 0; padding-left: 1.2rem; font-size: 1em; }
@media (max-width: 40rem) { .lean, .lean tbody, .lean tr, .lean th, .lean td { display: block; width: auto; }
  .lean thead { display: none; } .lean th:first-child { width: auto; } .lean tbody th, .lean td { border: 0;
  padding: .1rem 0; } .lean tr { border-bottom: 1px solid var(--line); padding: .3rem 0; } .card { padding: .8rem; } }
@media print { .machine + .machine { break-before: page; }
  .card, .stop { break-inside: avoid; } .tree .card { break-inside: auto; }
  .name, .label, .explains { break-after: avoid; } }
"""
