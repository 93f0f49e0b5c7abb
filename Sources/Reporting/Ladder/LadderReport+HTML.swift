import Mustache

extension LadderReport {
    /// The report as one page that needs nothing else: no file, no network, no script.
    /// - Throws: nothing but faults of the template.
    public func htmlText() throws -> String {
        let content = LadderContent(report: self)
        return try MustacheTemplate(string: LadderPage.template).render([
            "title": content.title, "style": LadderPage.style,
            "lead": verdict.first.map { [$0.withFixedUnits] } ?? [],
            "more": verdict.dropFirst().map(\.withFixedUnits),
            "rows": rows(content), "fullSize": fullSize.name,
            "plots": plots, "remarks": content.remarks, "hasRemarks": !content.remarks.isEmpty,
            "claims": claims(content), "hasClaims": !content.claims.isEmpty,
            "conventions": content.conventions.map { ["name": $0.name, "text": $0.text] },
            "command": command.escapedForDisplay, "check": content.checkCommand.escapedForDisplay,
            "files": entries.map { entry in
                [
                    "file": entry.file.escapedForDisplay, "digest": "\(entry.digest.prefix(16))…",
                    "bytes": NumberFormatting.grouped(entry.byteCount),
                    "time": content.time(entry),
                ]
            },
            "facts": content.facts.map { ["name": $0.name, "text": $0.text] },
        ])
    }

    private func rows(_ content: LadderContent) -> [[String: Any]] {
        let chosen = choice?.entry
        return zip(entries, content.rows).map { entry, row in
            [
                "type": row.type, "method": row.method, "mark": MethodStyle(entry.method).style,
                "chosen": entry == chosen, "size": row.size, "share": row.share, "bits": row.bits,
                "perplexity": row.perplexity, "perplexityInterval": row.perplexityInterval,
                "change": row.change, "changeInterval": row.changeInterval,
                "divergence": row.divergence, "divergenceInterval": row.divergenceInterval,
                "percentile99": row.percentile99, "sameTop": row.sameTop,
                "sameTopInterval": row.sameTopInterval,
            ]
        }
    }

    private func claims(_ content: LadderContent) -> [[String: Any]] {
        content.claims.flatMap { claim, rows in
            rows.enumerated().map { index, row in
                [
                    "saying": index == 0 ? claim.saying : "",
                    "reading": index == 0 ? claim.reading : "",
                    "title": row.title, "change": row.change, "sameTop": row.sameTop,
                    "verdict": row.verdict,
                ]
            }
        }
    }

    private var plots: [[String: Any]] {
        let allocation = AllocationPlot(entries)
        let (layers, text) = (layerPlot, textPlot)
        let group =
            blocksPerPoint > 1 ? " Each point is the mean of \(blocksPerPoint) windows." : ""
        let figures: [(String, String, (Double, String) -> String?)] = [
            (
                "Size and divergence",
                "Further down is closer to the reference, further left is smaller. Bars are 95 % intervals.",
                SizePlot(entries: entries).svg
            ),
            (
                "Error of the weights, by layer",
                "What rounding left of each layer's matrices. It is not what a model loses: methods that "
                    + "look at text take larger errors where inputs are small.",
                layers.svg
            ),
            (
                "Where the bits go",
                "The type of every matrix, a row for each role and a column for each layer; a row without "
                    + "columns is shared by all layers.",
                allocation.svg
            ),
            (
                "Along the text",
                "The mean divergence in each window of the text." + group, text.svg
            ),
        ]
        return figures.compactMap { title, caption, draw in
            guard let wide = draw(LadderPage.width, "wide"),
                let narrow = draw(LadderPage.narrowWidth, "narrow")
            else { return nil }
            return ["title": title, "caption": caption, "wide": wide, "narrow": narrow]
        }
    }
}

extension String {
    /// No line may begin with the unit of the number before it.
    fileprivate var withFixedUnits: String { replacing(" %", with: "\u{A0}%") }
}
