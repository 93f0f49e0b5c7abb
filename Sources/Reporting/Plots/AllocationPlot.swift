/// Which type every matrix of a file has: a row for each role, a column for each layer.
struct AllocationPlot {
    /// Files whose matrices have the same types.
    private struct Panel {
        var entries: [LadderReport.Entry]
        let tensors: [LadderReport.Tensor]
    }

    private let panels: [Panel]
    /// With their bits per weight, the fewest first.
    private let encodings: [(name: String, bits: Double)]

    private static let rowHeight = 15.0
    private static let largestLayerCount = 1024
    private static let largestRowCount = 64

    /// - Parameter entries: those that are only converted to show nothing and are left out.
    init(_ entries: [LadderReport.Entry]) {
        var panels: [Panel] = []
        for entry in entries {
            let tensors = entry.tensors.filter { $0.shape.count > 1 }
            guard Set(tensors.map(\.encoding)).count > 1 || entry.method != nil, !tensors.isEmpty
            else { continue }
            let kinds = tensors.map { [$0.name, $0.encoding] }
            if let index = panels.firstIndex(where: {
                $0.tensors.map { [$0.name, $0.encoding] } == kinds
            }) {
                panels[index].entries.append(entry)
            } else {
                panels.append(Panel(entries: [entry], tensors: tensors))
            }
        }
        self.panels = panels
        var bits: [String: (weights: Double, bits: Double)] = [:]
        for tensor in panels.flatMap(\.tensors) {
            bits[tensor.encoding, default: (0, 0)].weights += Double(tensor.weightCount)
            bits[tensor.encoding, default: (0, 0)].bits += Double(tensor.byteCount) * 8
        }
        encodings = bits.map { ($0.key, $0.value.bits / max(1, $0.value.weights)) }
            .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    }

    func svg(width: Double, style: String) -> String? {
        guard !panels.isEmpty else { return nil }
        var svg = SVG(width: width, height: 0)
        var legend = Legend()
        for (name, bits) in encodings {
            legend.add(
                .patch(fill: color(of: name)), style: "",
                "\(name) \(NumberFormatting.fixed(bits, decimals: 2))")
        }
        svg.text("type, bits per weight", 0, 12, style: "title")
        let legendHeight = legend.draw(&svg, x: 0, y: 22, width: width)
        let columns = width > 500 && panels.count > 1 ? 2 : 1
        let gap = 24.0
        let panelWidth = (width - gap * Double(columns - 1)) / Double(columns)
        var top = legendHeight + 40
        for start in stride(from: 0, to: panels.count, by: columns) {
            var height = 0.0
            for column in 0..<min(columns, panels.count - start) {
                height = max(
                    height,
                    draw(
                        panels[start + column], &svg, x: Double(column) * (panelWidth + gap),
                        y: top,
                        width: panelWidth))
            }
            top += height
        }
        svg.height = top
        return svg.document(label: "The type of every matrix, by layer and role", style: style)
    }

    private func draw(
        _ panel: Panel, _ svg: inout SVG, x left: Double, y top: Double, width: Double
    ) -> Double {
        let weights = panel.tensors.reduce(0.0) { $0 + Double($1.weightCount) }
        let bits = panel.tensors.reduce(0.0) { $0 + Double($1.byteCount) * 8 } / max(1, weights)
        let mean = "\(NumberFormatting.fixed(bits, decimals: 2)) bits on average"
        var y = top + 12
        for line in wrapped(Self.titles(panel.entries), width: width) {
            svg.text(line, left, y, style: "name")
            y += SVG.lineHeight
        }
        svg.text(mean, left, y, style: "tick")
        y += 8

        let places = panel.tensors.map { TensorPlace($0.name) }
        var roles: [String] = []
        for place in places where !roles.contains(place.role) && roles.count < Self.largestRowCount
        {
            roles.append(place.role)
        }
        let layerCount =
            min(Self.largestLayerCount - 1, places.compactMap(\.layer).max() ?? 0) + 1
        let names = roles.map { String($0.prefix(14)) }
        let labelWidth = (names.map(SVG.textWidth).max() ?? 0) + 8
        let plotLeft = left + labelWidth
        let cell = (width - labelWidth - 6) / Double(layerCount)
        var boxes: [String: [Box]] = [:]
        for (tensor, place) in zip(panel.tensors, places) {
            guard let row = roles.firstIndex(of: place.role) else { continue }
            let boxY = y + Double(row) * Self.rowHeight
            if let layer = place.layer, layer < layerCount {
                boxes[tensor.encoding, default: []].append(
                    Box(
                        x: plotLeft + Double(layer) * cell, y: boxY,
                        width: max(0.5, cell - min(1.5, cell * 0.2)), height: Self.rowHeight - 2))
            } else {
                // What all layers share takes their whole row.
                boxes[tensor.encoding, default: []].append(
                    Box(
                        x: plotLeft, y: boxY, width: cell * Double(layerCount) - 1.5,
                        height: Self.rowHeight - 2))
            }
        }
        for (name, _) in encodings { svg.boxes(boxes[name] ?? [], fill: color(of: name)) }
        for (row, name) in names.enumerated() {
            svg.text(
                name, plotLeft - 6, y + Double(row) * Self.rowHeight + 11, .end, style: "tick")
        }
        let bottom = y + Double(roles.count) * Self.rowHeight
        let step = [1, 2, 5, 10, 20, 50, 100, 200, 500].first { Double($0) * cell >= 24 } ?? 1000
        for layer in stride(from: 0, to: layerCount, by: step) {
            svg.text(
                String(layer), plotLeft + (Double(layer) + 0.5) * cell, bottom + 12, .middle,
                style: "tick")
        }
        svg.text(
            "layer", plotLeft + cell * Double(layerCount) / 2, bottom + 29, .middle, style: "title")
        return bottom + 46 - top
    }

    /// `Q4_0 rtn`, `gptq`, `awq`: a type is named once.
    private static func titles(_ entries: [LadderReport.Entry]) -> [String] {
        entries.enumerated().map { index, entry in
            let isNamed = index > 0 && entries[index - 1].type == entry.type
            return isNamed ? entry.method ?? entry.title : entry.title
        }
    }

    /// Titles with commas between them, in lines that fit.
    private func wrapped(_ titles: [String], width: Double) -> [String] {
        var lines = [""]
        for (index, title) in titles.enumerated() {
            let part = title + (index < titles.count - 1 ? ", " : "")
            let line = lines[lines.count - 1] + part
            if SVG.textWidth(line) <= width || lines[lines.count - 1].isEmpty {
                lines[lines.count - 1] = line
            } else {
                lines.append(part)
            }
        }
        return lines
    }

    /// From red for few bits to blue for many, by rank: legible on white and on black.
    private func color(of name: String) -> String {
        let rank = encodings.firstIndex { $0.name == name } ?? 0
        let share = encodings.count > 1 ? Double(rank) / Double(encodings.count - 1) : 1
        let place = share * Double(Self.ramp.count - 1)
        let index = min(Self.ramp.count - 2, Int(place))
        let (from, to, part) = (Self.ramp[index], Self.ramp[index + 1], place - Double(index))
        let channels = zip(from, to).map { Int(($0 + ($1 - $0) * part).rounded()) }
        return "rgb(\(channels.map(String.init).joined(separator: ",")))"
    }

    private static let ramp: [[Double]] = [
        [200, 70, 80], [230, 140, 80], [232, 194, 100], [126, 182, 130], [58, 140, 150],
        [70, 105, 165],
    ]
}
