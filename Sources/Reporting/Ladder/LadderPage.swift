/// The page around a ladder's figures.
///
/// Every plot is there twice, for a wide column and for a telephone's, so that its text has the page's size on
/// both; the style sheet shows one of them.
enum LadderPage {
    /// Of the column, in CSS pixels.
    static let width = 840.0
    static let narrowWidth = 350.0

    static let template = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="data:,">
        <title>{{title}}</title>
        <style>
        {{{style}}}
        </style>
        </head>
        <body>
        <main>
        <header>
        <h1>{{title}}</h1>
        {{#lead}}
        <p class="lead">{{.}}</p>
        {{/lead}}
        {{#more}}
        <p>{{.}}</p>
        {{/more}}
        </header>

        <section>
        <h2>The ladder</h2>
        <div class="scroll">
        <table class="ladder">
        <thead>
        <tr><th>type</th><th>size</th><th>bits</th><th>perplexity</th><th>change</th><th>mean KL</th><th>99 % KL</th><th>same token</th></tr>
        </thead>
        <tbody>
        {{#rows}}
        <tr{{#chosen}} class="chosen"{{/chosen}}><th scope="row"><i class="dot {{mark}}"></i>{{type}}<small>{{method}}</small></th><td>{{size}}<small>{{share}} of {{fullSize}}</small></td><td>{{bits}}</td><td>{{perplexity}}<small>{{perplexityInterval}}</small></td><td>{{change}}<small>{{changeInterval}}</small></td><td>{{divergence}}<small>{{divergenceInterval}}</small></td><td>{{percentile99}}</td><td>{{sameTop}}<small>{{sameTopInterval}}</small></td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{#hasRemarks}}
        <ul class="remarks">
        {{#remarks}}
        <li>{{.}}</li>
        {{/remarks}}
        </ul>
        {{/hasRemarks}}
        </section>

        {{#plots}}
        <figure>
        <h2>{{title}}</h2>
        <p>{{caption}}</p>
        {{{wide}}}
        {{{narrow}}}
        </figure>
        {{/plots}}

        {{#hasClaims}}
        <section>
        <h2>What people say</h2>
        <div class="scroll">
        <table class="claims">
        <thead><tr><th>said</th><th>taken for</th><th>file</th><th>perplexity</th><th>same token</th><th></th></tr></thead>
        <tbody>
        {{#claims}}
        <tr><td>{{saying}}</td><td>{{reading}}</td><td>{{title}}</td><td>{{change}}</td><td>{{sameTop}}</td><td>{{verdict}}</td></tr>
        {{/claims}}
        </tbody>
        </table>
        </div>
        </section>
        {{/hasClaims}}

        <section>
        <h2>How to read it</h2>
        <dl>
        {{#conventions}}
        <dt>{{name}}</dt><dd>{{text}}</dd>
        {{/conventions}}
        </dl>
        </section>

        <section>
        <h2>How to repeat it</h2>
        <pre>{{command}}
        {{check}}</pre>
        <div class="scroll">
        <table class="files">
        <thead><tr><th>file</th><th>bytes</th><th>SHA-256</th><th></th></tr></thead>
        <tbody>
        {{#files}}
        <tr><td>{{file}}</td><td class="number">{{bytes}}</td><td><code>{{digest}}</code></td><td>{{time}}</td></tr>
        {{/files}}
        </tbody>
        </table>
        </div>
        <dl>
        {{#facts}}
        <dt>{{name}}</dt><dd>{{text}}</dd>
        {{/facts}}
        </dl>
        </section>
        </main>
        </body>
        </html>

        """

    static let style = """
        :root {
          color-scheme: light dark;
          --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --rule: #e1e5ea; --tint: #f4f6f8;
          --rtn: #c2571a; --gptq: #0b67b0; --awq: #14805e; --other: #8a4fa8; --none: #6b7580;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #121519; --ink: #e4e8ec; --soft: #98a3ae; --rule: #2a3037; --tint: #1a1f25;
            --rtn: #f0955c; --gptq: #5fb0f2; --awq: #4cc79b; --other: #c795e2; --none: #9aa5b0;
          }
        }
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
        }
        main { max-width: 880px; margin: 0 auto; padding: 56px 20px 80px; }
        h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 20px; overflow-wrap: anywhere; }
        h2 { font-size: 19px; line-height: 1.3; letter-spacing: -0.01em; margin: 0 0 8px; }
        p { margin: 0 0 12px; }
        .lead { font-size: 20px; line-height: 1.5; }
        header p:not(.lead), figure p { color: var(--soft); }
        section, figure { margin: 56px 0 0; padding: 0; }
        figure p { font-size: 15px; line-height: 1.5; margin-bottom: 20px; max-width: 40em; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; font-size: 14px; line-height: 1.4; min-width: 100%; font-variant-numeric: tabular-nums; }
        th, td { padding: 9px 0 9px 14px; text-align: right; vertical-align: top; white-space: nowrap; border-bottom: 1px solid var(--rule); }
        th:first-child, td:first-child { padding-left: 0; text-align: left; }
        thead th { color: var(--soft); font-weight: 500; }
        tbody th { font-weight: 600; }
        small { display: block; font-size: 12px; font-weight: 400; color: var(--soft); min-height: 1.4em; }
        .ladder { font-size: 13.5px; }
        .ladder small { font-size: 11.5px; }
        .ladder tr { background: var(--paper); }
        .ladder th:first-child { position: sticky; left: 0; background: inherit; }
        .ladder th[scope=row] { padding-left: 18px; }
        .ladder .chosen { background: var(--tint); }
        .dot { position: absolute; left: 2px; top: 15px; width: 8px; height: 8px; border-radius: 50%; background: currentColor; }
        .claims td, .claims th, .files td, .files th { text-align: left; }
        .claims td { white-space: normal; vertical-align: baseline; }
        .claims td:nth-child(n+3) { white-space: nowrap; }
        .claims td:empty { border-bottom-color: transparent; }
        td.number { text-align: right; white-space: nowrap; }
        .files code { font-size: 12px; }
        .remarks { margin: 16px 0 0; padding-left: 18px; color: var(--soft); font-size: 14px; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 16px 0 0; font-size: 15px; }
        dt { color: var(--soft); }
        dd { margin: 0; overflow-wrap: anywhere; }
        pre { background: var(--tint); border-radius: 8px; padding: 14px 16px; font-size: 13px; line-height: 1.6; margin: 0 0 24px; white-space: pre-wrap; overflow-wrap: anywhere; }
        code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
        svg { display: block; width: 100%; height: auto; }
        svg.narrow { display: none; max-width: 460px; }
        svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; fill: var(--ink); }
        svg .tick, svg .title { fill: var(--soft); font-variant-numeric: tabular-nums; }
        svg .name { font-weight: 600; }
        :where(svg path:not([fill]), svg circle) { fill: none; }
        svg .grid { stroke: var(--rule); stroke-width: 1; }
        svg .axis { stroke: var(--soft); stroke-width: 1; }
        svg .front { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 4; }
        svg .leader { stroke: var(--soft); stroke-width: 0.8; }
        .m-rtn { color: var(--rtn); } .m-gptq { color: var(--gptq); } .m-awq { color: var(--awq); }
        .m-other { color: var(--other); } .m-none { color: var(--none); }
        svg [class^="m-"] { fill: currentColor; stroke: var(--paper); stroke-width: 1; }
        svg .line, svg .interval { fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linejoin: round; }
        @media (max-width: 879px) {
          main { padding-top: 32px; }
          h1 { font-size: 25px; }
          .lead { font-size: 18px; }
          section, figure { margin-top: 44px; }
          dl { grid-template-columns: 1fr; gap: 2px; }
          dd { margin-bottom: 10px; }
          svg.wide { display: none; }
          svg.narrow { display: block; }
        }
        @media print {
          .scroll { overflow: visible; }
        }
        """
}
