/// A table in columns for a terminal or a log.
package struct TextTable {
    package enum Alignment { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]]

    /// - Parameter header: the columns' names and sides; without names the table has no header.
    package init(_ header: (name: String, Alignment)...) {
        alignments = header.map(\.1)
        let names = header.map(\.name)
        rows = names.allSatisfy(\.isEmpty) ? [] : [names]
    }

    /// - Precondition: at most as many cells as columns.
    package mutating func add(_ cells: String...) { add(cells) }

    /// - Precondition: at most as many cells as columns.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count <= alignments.count)
        rows.append(cells)
    }

    /// The rows, each on a line of its own that ends where its text ends.
    package func text(indentation: Int = 0) -> String {
        let widths = alignments.indices.map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        let margin = String(repeating: " ", count: indentation)
        return rows.map { row in
            var line = margin
            for (column, cell) in row.enumerated() {
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                line +=
                    (column > 0 ? "  " : "")
                    + (alignments[column] == .left ? cell + gap : gap + cell)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
