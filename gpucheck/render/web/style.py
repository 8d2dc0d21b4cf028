"""The style sheet of all pages: colours for light and dark, print in the light ones, no rule that needs a network.

Contrast of every colour of a word on every ground is at least 4.5 (WCAG 2 AA); colour is never the only sign.
"""

STYLE = """
:root { color-scheme: light dark; --ground: #f5f6f8; --card: #ffffff; --ink: #1a1c1f; --soft: #565b62;
  --line: #d5d9de; --shade: #eef0f3; --ok: #176b35; --error: #b3261e; --warning: #864900; --note: #0b5a8a;
  --unknown: #7a3a9e; --ok-ground: #e3f3e8; --error-ground: #fce8e6; --warning-ground: #fdf0dc;
  --note-ground: #e2f0f8; --unknown-ground: #f3e8f9; --loud: #ffd84d; --loud-ink: #221a00; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #121417; --card: #1a1d21; --ink: #e8eaed; --soft: #a9afb7; --line: #383e46; --shade: #24292f;
    --ok: #7bd596; --error: #ff9a90; --warning: #f2bb6b; --note: #86c9f2; --unknown: #d8adf2; --ok-ground: #163020;
    --error-ground: #3b1a18; --warning-ground: #35260f; --note-ground: #12293a; --unknown-ground: #2d1b39; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4, h5, h6 { line-height: 1.3; margin: 0; text-wrap: balance; }
h1 { font-size: 1.35rem; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .7rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
h4, h5, h6 { font-size: 1rem; margin: 1rem 0 .3rem; }
p { margin: .35rem 0; }
a { color: var(--note); }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: .88em; unicode-bidi: isolate; }
pre { white-space: pre-wrap; margin: .4rem 0; padding: .6rem .8rem; background: var(--shade); font-size: .85rem;
  border-radius: .4rem; line-height: 1.55; unicode-bidi: isolate; }
pre .comment { color: var(--soft); }
td, th, dd, summary { unicode-bidi: isolate; }
.soft { color: var(--soft); }
.ok { color: var(--ok); } .error { color: var(--error); } .warning { color: var(--warning); }
.note { color: var(--note); } .unknown { color: var(--unknown); }
.badge { display: inline-block; font-size: .78rem; font-weight: 700; line-height: 1.3; padding: .12rem .5rem;
  border-radius: 1rem; border: 1px solid currentColor; white-space: nowrap; print-color-adjust: exact; }
.badge.ok { background: var(--ok-ground); } .badge.error { background: var(--error-ground); }
.badge.warning { background: var(--warning-ground); } .badge.note { background: var(--note-ground); }
.badge.unknown { background: var(--unknown-ground); } .badge.soft { background: var(--shade); }
.loud { border: 3px solid var(--loud-ink); background: var(--loud); color: var(--loud-ink); padding: .7rem 1rem;
  margin: 0 0 1rem; font-weight: 600; border-radius: .4rem; print-color-adjust: exact; }
.said { font-size: 1.1rem; }
.said strong { margin-right: .4rem; }
.reason { margin-left: 1.2rem; color: var(--soft); }
details { margin: .5rem 0; }
summary { cursor: pointer; padding: .2rem 0; }
:focus-visible { outline: 2px solid var(--note); outline-offset: 2px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; font-size: .9rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { font-size: .85rem; font-weight: 600; color: var(--soft); }
tbody th { font-weight: 600; }
.facts { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .45rem 1rem; margin: .4rem 0; }
.facts dt { font-weight: 600; } .facts dd { margin: 0; min-width: 0; } .facts dd p { margin: 0; }
.facts dd p + p { margin-top: .15rem; }
.facts p.words { padding-left: 1.2rem; color: var(--soft); }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg { display: block; width: 100%; min-width: 34rem; height: auto; }
svg text { font-family: "DejaVu Sans", Verdana, sans-serif; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .88rem; }
@media (max-width: 40rem) { body { padding: 1rem .8rem 2rem; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; } .facts dt { margin-top: .6rem; } }
@media screen and (max-width: 40rem) {
  table.stacked { min-width: 0; } .stacked, .stacked tbody, .stacked tr:not([hidden]) { display: block; }
  .stacked thead { display: none; } .stacked tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stacked caption, .stacked th, .stacked td { display: block; border: 0; padding: 0 .2rem; min-width: 0; }
  .stacked td:empty { display: none; }
}
@media print {
  :root { color-scheme: light; --ground: #ffffff; }
  body { max-width: none; padding: 0; font-size: .82rem; } .wide { overflow: visible; } svg { min-width: 0; }
  figure, tr, dd p, pre { break-inside: avoid; } pre { border-left: 3px solid var(--line); }
  h1, h2, h3, h4, caption { break-after: avoid; }
  details.printed::details-content { content-visibility: visible; display: block; height: auto; }
}
"""
