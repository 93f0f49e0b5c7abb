/// Size against divergence, with the files that no other beats in both.
struct SizePlot {
    let entries: [LadderReport.Entry]

    /// Divergences below this are rounding of half precision or of sums, and lie in a band for zero.
    static let leastDivergence = 1e-7

    /// The names of a scale's parts of a byte count.
    private static let units = [("MiB", 1048576.0), ("GiB", 1073741824.0), ("KiB", 1024.0)]

    /// The drawing at a width, under a class of the page; nil without anything to draw.
    func svg(width: Double, style: String) -> String? {
        let positive = entries.map(\.figures.divergence).filter { $0 >= Self.leastDivergence }
        guard !positive.isEmpty else { return nil }
        var svg = SVG(width: width, height: 0)
        var legend = Legend()
        for method in MethodStyle.all(entries) {
            legend.add(.point(method.marker), style: method.style, method.name)
        }
        let front = LadderReport.front(of: entries)
        if front.count > 1 { legend.add(.line, style: "front", "no smaller file is closer") }
        let legendHeight = legend.draw(&svg, x: 0, y: 0, width: width)

        let hasZero = positive.count < entries.count
        let (left, right) = (50.0, 22.0)
        let (top, plotHeight) = (legendHeight + 34, width > 500 ? 330.0 : 280.0)
        let bottom = top + plotHeight
        let floor = hasZero ? bottom - 30 : bottom
        let most = Double(entries.map(\.byteCount).max() ?? 1)
        let unit =
            Self.units.first { most >= $0.1 && most < $0.1 * 1024 }
            ?? Self.units[most < 1024 ? 2 : 1]
        let intervals = entries.compactMap(\.figures.divergenceInterval).flatMap {
            [$0.lower, $0.upper]
        }
        let y = Scale.logarithmic(
            positive + intervals.filter { $0 >= Self.leastDivergence }, from: floor, to: top)
        let x = Scale.linear(
            entries.map { Double($0.byteCount) / unit.1 }, from: left, to: width - right,
            tickCount: width > 500 ? 8 : 5, startsAtZero: true)
        let box = Box(x: left, y: top, width: width - left - right, height: plotHeight)
        PlotFrame(box: box, x: x, y: y).drawAxes(
            &svg, xTitle: "size of the file, \(unit.0)",
            yTitle: "mean KL divergence, nats per token (log)")
        if hasZero {
            svg.text("0", left - 7, bottom - 8, .end, style: "tick")
        }

        func place(_ entry: LadderReport.Entry) -> (x: Double, y: Double) {
            let divergence = entry.figures.divergence
            return (
                x.position(Double(entry.byteCount) / unit.1),
                divergence >= Self.leastDivergence ? y.position(divergence) : bottom - 12
            )
        }
        svg.path(front.map(place), style: "front")
        for entry in entries {
            guard let interval = entry.figures.divergenceInterval,
                entry.figures.divergence >= Self.leastDivergence
            else { continue }
            let x = place(entry).x
            let style = "interval \(MethodStyle(entry.method).style)"
            svg.line(x, y.position(interval.lower), x, y.position(interval.upper), style: style)
        }
        var labels = LabelPlacement(
            bounds: Box(x: left + 2, y: top - 4, width: width - left - 2, height: plotHeight),
            taken: entries.map { entry in
                let (x, y) = place(entry)
                return Box(x: x - 7, y: y - 7, width: 14, height: 14)
            } + LabelPlacement.boxes(along: front.map(place)))
        for entry in entries {
            let (x, y) = place(entry)
            let method = MethodStyle(entry.method)
            svg.marker(method.marker, x, y, style: method.style, title: entry.title)
            guard let label = labels.place(entry.title, besideX: x, y: y) else { continue }
            if label.needsLeader { svg.line(x, y, label.leaderX, label.leaderY, style: "leader") }
            svg.text(entry.title, label.x, label.baseline, label.anchor, style: "name")
        }
        svg.height = bottom + 42
        return svg.document(label: "Size of each file against its mean KL divergence", style: style)
    }
}

extension LadderReport {
    /// The entries that no other beats in both size and divergence, by size.
    static func front(of entries: [Entry]) -> [Entry] {
        var front: [Entry] = []
        for entry in entries.sorted(by: {
            ($0.tensorByteCount, $0.figures.divergence)
                < ($1.tensorByteCount, $1.figures.divergence)
        }) where entry.figures.divergence < front.last?.figures.divergence ?? .infinity {
            front.append(entry)
        }
        return front
    }
}
