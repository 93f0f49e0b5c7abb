import Mustache

extension LadderReport {
    /// The report as Markdown, tables and words without the plots.
    /// - Throws: nothing but faults of the template.
    public func markdownText() throws -> String {
        let content = LadderContent(report: self)
        let spell = { (text: String) in text.escapedForMarkdown }
        let rows = content.rows.map { row in
            let ranged = { (value: String, range: String) in
                range.isEmpty ? value : "\(value) (\(range))"
            }
            return [
                row.type, row.method, row.size, row.share, row.bits,
                ranged(row.perplexity, row.perplexityInterval),
                ranged(row.change, row.changeInterval),
                ranged(row.divergence, row.divergenceInterval), row.percentile99,
                ranged(row.sameTop, row.sameTopInterval),
            ].map(spell).joined(separator: " | ")
        }
        let claims = content.claims.flatMap { claim, rows in
            rows.map {
                [claim.saying, claim.reading, $0.title, $0.change, $0.sameTop, $0.verdict].map(
                    spell
                )
                .joined(separator: " | ")
            }
        }
        let files = entries.map {
            [spell($0.file), NumberFormatting.grouped($0.byteCount), "`\($0.digest)`"]
                .joined(separator: " | ")
        }
        return try MustacheTemplate(string: Self.markdownTemplate).render([
            "title": spell(content.title),
            "verdict": verdict.map(spell).joined(separator: " "),
            "rows": rows, "hasClaims": !claims.isEmpty, "claims": claims,
            "remarks": content.remarks.map(spell), "hasRemarks": !content.remarks.isEmpty,
            "conventions": content.conventions.map { ["name": $0.name, "text": spell($0.text)] },
            "files": files,
            "facts": content.facts.map { ["name": spell($0.name), "text": spell($0.text)] },
            "command": command.escapedForDisplay, "check": content.checkCommand.escapedForDisplay,
        ])
    }

    private static let markdownTemplate = """
        # {{{title}}}

        {{{verdict}}}

        | type | method | size | of full | bits | perplexity (95 %) | change (95 %) | mean KL (95 %) | 99 % KL | same token (95 %) |
        |---|---|--:|--:|--:|--:|--:|--:|--:|--:|
        {{#rows}}
        | {{{.}}} |
        {{/rows}}

        {{#hasRemarks}}
        {{#remarks}}
        - {{{.}}}
        {{/remarks}}

        {{/hasRemarks}}
        {{#hasClaims}}
        ## What people say

        | said | taken for | file | perplexity (95 %) | same token | |
        |---|---|---|--:|--:|---|
        {{#claims}}
        | {{{.}}} |
        {{/claims}}

        {{/hasClaims}}
        ## How to read it

        {{#conventions}}
        - **{{{name}}}**: {{{text}}}
        {{/conventions}}

        ## How to repeat it

            {{{command}}}
            {{{check}}}

        | file | bytes | SHA-256 |
        |---|--:|---|
        {{#files}}
        | {{{.}}} |
        {{/files}}

        {{#facts}}
        - {{{name}}}: {{{text}}}
        {{/facts}}

        """
}
