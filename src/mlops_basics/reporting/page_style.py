"""The style sheet of the HTML reports: system fonts, one column on a phone, dark and print."""

# In the dark, figures are inverted and their hues turned back: one rule serves every figure, and
# .88 turns their white into the card's #1f1f1f.
STYLE = """
:root { --ink: #22262b; --soft: #59606a; --line: #dfe3e8; --back: #f6f7f9; --card: #fff;
  --good: #00694c; --good-back: #dff3ec; --bad: #a03a00; --bad-back: #fde9dc;
  --flat: #3d444d; --flat-back: #e8ebef; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a9b0ba; --line: #3a3d42; --back: #131416; --card: #1f1f1f;
    --good: #7fd8b9; --good-back: #123a2e; --bad: #ffb088; --bad-back: #47230f;
    --flat: #c9d0d9; --flat-back: #2d333b; }
  .plotly-graph-div { filter: invert(.88) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 1.5rem 1.25rem 3rem; color: var(--ink);
  background: var(--back); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; }
h1, h2, h3, p, li, dd, figcaption { overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
p { margin: .4rem 0; max-width: 75ch; }
small, figcaption, caption, dt { color: var(--soft); }
small { font-size: .82rem; }
.lead { font-size: 1.15rem; }
.badge { display: inline-block; border-radius: 1rem; padding: .1rem .7rem; font-weight: 600;
  font-size: .9rem; }
.good { color: var(--good); background: var(--good-back); }
.bad { color: var(--bad); background: var(--bad-back); }
.neutral { color: var(--flat); background: var(--flat-back); }
.warnings { margin: 0; padding: .75rem 1rem .75rem 2rem; border-radius: .5rem; color: var(--bad);
  background: var(--bad-back); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .6rem .8rem 0; font-size: .9rem; }
th, td { text-align: left; padding: .5rem .8rem; border-top: 1px solid var(--line);
  vertical-align: top; white-space: nowrap; }
thead th { border-top: 0; font-weight: 600; }
thead small { font-weight: 400; }
tbody th { font-weight: 500; }
.note { display: inline-block; white-space: normal; min-width: 9rem; max-width: 16rem; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .3rem 1.25rem;
  margin: .75rem 0; }
dd { margin: 0; }
figure { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  margin: 0 0 1rem; padding: 1rem; min-width: 0; break-inside: avoid; }
figcaption { font-size: .9rem; margin-bottom: .5rem; max-width: 75ch; }
.plots h2, .wide { column-span: all; }
@media screen and (min-width: 1000px) { .plots { columns: 2; column-gap: 1rem; } }
@media (max-width: 700px) { body { padding: 1rem .75rem 2rem; } figure { padding: .75rem .5rem; }
  th, td { padding: .4rem .5rem; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; } }
@media print { body { max-width: none; padding: 0; background: #fff; color: #000; }
  tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } }
"""
