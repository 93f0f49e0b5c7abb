/// Lines by method over something in order, a panel for each type, each panel on a scale of its own: what differs
/// between types is orders of magnitude, and would leave every line flat.
struct LinePanels {
    /// One method's values.
    struct Line {
        let method: MethodStyle
        /// By what stands below; nil or zero is a gap, for which a logarithmic axis has no place.
        let values: [Double?]
    }

    struct Panel {
        let title: String
        var lines: [Line]
    }

    var panels: [Panel]
    let xTitle: String
    let yTitle: String
    /// Of the first value below the axis, and how far it is from one to the next.
    var xStart = 0.0
    var xStep = 1.0
    /// What the drawing shows, for those who do not see it.
    let label: String

    /// Lines of fewer values than this have their points marked.
    private static let markedCount = 48

    func svg(width: Double, style: String) -> String? {
        guard !panels.isEmpty else { return nil }
        var svg = SVG(width: width, height: 0)
        var methods: [MethodStyle] = []
        for line in panels.flatMap(\.lines) where !methods.contains(line.method) {
            methods.append(line.method)
        }
        var legend = Legend()
        for method in methods {
            legend.add(.lineWithPoint(method.marker), style: method.style, method.name)
        }
        var top = legend.draw(&svg, x: 0, y: 0, width: width) + 4
        svg.text(yTitle, 0, top + 14, style: "title")
        top += 26

        // Four are two by two.
        let columns = width > 500 ? panels.count == 4 ? 2 : min(3, panels.count) : 1
        let (left, gap) = (50.0, 14.0)
        let panelWidth = (width - (left + gap) * Double(columns)) / Double(columns)
        let panelHeight = columns == 1 && width > 500 ? 240.0 : 180.0
        let count = panels.flatMap(\.lines).map(\.values.count).max() ?? 1
        for (index, panel) in panels.enumerated() {
            let (row, column) = (index / columns, index % columns)
            let box = Box(
                x: left + Double(column) * (panelWidth + left + gap),
                y: top + 20 + Double(row) * (panelHeight + 72), width: panelWidth,
                height: panelHeight)
            let x = Scale.linear(
                [xStart, xStart + xStep * Double(max(1, count - 1))], from: box.x,
                to: box.x + box.width, tickCount: columns > 1 ? 5 : 6, countsThings: true)
            let values = panel.lines.flatMap(\.values).compactMap(\.self).filter { $0 > 0 }
            let y = Scale.logarithmic(values, from: box.y + box.height, to: box.y)
            // The title of the vertical axis stands once, above all panels.
            PlotFrame(box: box, x: x, y: y).drawAxes(&svg, xTitle: xTitle, yTitle: "")
            svg.text(panel.title, box.x, box.y - 8, style: "name")
            for line in panel.lines { draw(line, x, y, &svg) }
        }
        let rows = (panels.count + columns - 1) / columns
        svg.height = top + 20 + Double(rows) * (panelHeight + 72) - 30
        return svg.document(label: label, style: style)
    }

    private func draw(_ line: Line, _ x: Scale, _ y: Scale, _ svg: inout SVG) {
        var run: [(x: Double, y: Double)] = []
        let isMarked = line.values.count <= Self.markedCount
        for (index, value) in line.values.enumerated() {
            guard let value, value > 0 else {
                svg.path(run, style: "line \(line.method.style)")
                run = []
                continue
            }
            let point = (x: x.position(xStart + xStep * Double(index)), y: y.position(value))
            run.append(point)
            if isMarked {
                svg.marker(
                    line.method.marker, point.x, point.y, radius: 2.2, style: line.method.style)
            }
        }
        svg.path(run, style: "line \(line.method.style)")
    }
}

extension LadderReport {
    /// Types in the order of their entries, each with its entries.
    private var entriesByType: [(type: String, entries: [Entry])] {
        var groups: [(type: String, entries: [Entry])] = []
        for entry in entries {
            if let index = groups.firstIndex(where: { $0.type == entry.type }) {
                groups[index].entries.append(entry)
            } else {
                groups.append((entry.type, [entry]))
            }
        }
        return groups
    }

    private func panels(_ values: (Entry) -> [Double?]) -> [LinePanels.Panel] {
        entriesByType.compactMap { type, entries in
            let lines = entries.map {
                LinePanels.Line(method: MethodStyle($0.method), values: values($0))
            }.filter { line in line.values.contains { $0 ?? 0 > 0 } }
            return lines.isEmpty ? nil : LinePanels.Panel(title: type.uppercased(), lines: lines)
        }
    }

    /// What rounding left wrong of the weights of each layer.
    var layerPlot: LinePanels {
        LinePanels(
            panels: panels { $0.method == nil ? [] : LayerErrors($0.tensors).shares },
            xTitle: "layer",
            yTitle: "squared error of the weights / their squares (log)",
            label: "Error of the weights by layer")
    }

    /// Most points that a line has; more than a panel's pixels show nothing.
    static let largestPointCount = 160

    /// Blocks of the text that make one point.
    var blocksPerPoint: Int {
        let count = entries.map(\.figures.blockDivergences.count).max() ?? 0
        return max(1, (count + Self.largestPointCount - 1) / Self.largestPointCount)
    }

    /// The divergence from the text's first window to its last.
    var textPlot: LinePanels {
        let group = blocksPerPoint
        let plot = panels { entry in
            let blocks = entry.figures.blockDivergences
            return stride(from: 0, to: blocks.count, by: group).map { start in
                let part = blocks[start..<min(blocks.count, start + group)]
                let mean = part.reduce(0, +) / Double(part.count)
                return mean >= SizePlot.leastDivergence ? mean : nil
            }
        }
        return LinePanels(
            panels: plot, xTitle: "window of the text",
            yTitle: "mean KL divergence, nats per token (log)", xStart: 1,
            xStep: Double(group), label: "Mean KL divergence along the text")
    }
}

/// The squared error of the weights of each layer, as a share of their squares.
struct LayerErrors {
    /// By layer; nil where nothing is known.
    let shares: [Double?]

    /// Layers beyond this are no model's; a name may say anything.
    private static let largestLayerCount = 4096

    init(_ tensors: [LadderReport.Tensor]) {
        var sums: [(squares: Double, errors: Double)] = []
        for tensor in tensors where tensor.shape.count > 1 {
            guard let layer = TensorPlace(tensor.name).layer, layer < Self.largestLayerCount,
                let squares = tensor.squares, let errors = tensor.errorSquares
            else { continue }
            while sums.count <= layer { sums.append((0, 0)) }
            sums[layer].squares += squares
            sums[layer].errors += errors
        }
        shares = sums.map { $0.squares > 0 && $0.errors > 0 ? $0.errors / $0.squares : nil }
    }
}

/// Where in a model a tensor is, by GGUF's names: `blk.3.attn_q.weight`.
struct TensorPlace: Hashable {
    /// Nil for what all layers share.
    let layer: Int?
    /// `attn_q`
    let role: String

    init(_ name: String) {
        var rest = name[...]
        if rest.hasSuffix(".weight") { rest = rest.dropLast(7) }
        let parts = rest.split(separator: ".", maxSplits: 2)
        if parts.count == 3, parts[0] == "blk", let layer = Int(parts[1]), layer >= 0 {
            (self.layer, role) = (layer, String(parts[2]))
        } else {
            (layer, role) = (nil, String(rest))
        }
    }
}
