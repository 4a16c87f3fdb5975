/// The style sheet of a report: light and dark by the reader's setting, readable at 320 pixels, in
/// print, and without colour. Text contrast is at least 7:1 in both schemes.
let reportStyle = """
  :root { color-scheme: light dark; --ground: #fbfaf7; --card: #ffffff; --ink: #1d2126;
    --soft: #4a525b; --line: #d9d6cd; --accent: #0b5c75; }
  @media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1d2125; --ink: #eceff1;
    --soft: #b9c1c8; --line: #3a4147; --accent: #7fd0e8; } }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--ground); color: var(--ink);
    font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
  header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
  header { padding-top: 2.5rem; }
  h1 { font-size: clamp(1.6rem, 5vw, 2.4rem); line-height: 1.2; margin: 0 0 .75rem; }
  h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem;
    border-top: 1px solid var(--line); }
  p { max-width: 46rem; margin: .5rem 0; color: var(--soft); }
  .cards { display: grid; gap: 1.25rem; margin: 1rem 0;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr)); }
  .cards.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
  figure { margin: 0; padding: .9rem; background: var(--card); border: 1px solid var(--line);
    border-radius: 10px; break-inside: avoid; }
  img { display: block; width: 100%; height: auto; border-radius: 4px; }
  figcaption { margin-top: .7rem; font-size: .9rem; color: var(--soft); overflow-wrap: anywhere; }
  figcaption strong { display: block; color: var(--ink); }
  .scroll { overflow-x: auto; margin: 1rem 0; }
  table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
  caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
  th, td { text-align: left; padding: .35rem .9rem .35rem 0; vertical-align: top;
    border-bottom: 1px solid var(--line); }
  thead th { color: var(--accent); }
  tbody th { font-weight: 500; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; font-size: .85rem;
    margin: .5rem 0 3rem; }
  dt { color: var(--soft); }
  dd { margin: 0; overflow-wrap: anywhere; }
  @media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
  @media print { body { background: #fff; color: #000; } figure { border-color: #999; } }
  """
