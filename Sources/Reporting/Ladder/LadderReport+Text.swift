extension LadderReport {
    /// The ladder as a table for a terminal, with its verdict.
    public var tableText: String {
        var table = TextTable(
            ("type", .left), ("method", .left), ("size", .right), ("bits", .right),
            ("perplexity", .right), ("change", .right), ("95 % interval", .left),
            ("mean KL", .right), ("95 % interval", .left), ("99 % KL", .right),
            ("same token", .right))
        let content = LadderContent(report: self)
        for row in content.rows {
            table.add(
                row.type, row.method, row.size, row.bits, row.perplexity, row.change,
                row.changeInterval, row.divergence, row.divergenceInterval, row.percentile99,
                row.sameTop)
        }
        let remarks = content.remarks.map { "\($0)\n" }.joined()
        return table.text() + (remarks.isEmpty ? "" : "\n" + remarks)
            + verdict.map { "\n\($0)\n" }.joined()
    }
}
