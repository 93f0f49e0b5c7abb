/// How a method looks in every plot: one class of the page for its colour, and one shape.
struct MethodStyle: Hashable {
    let name: String
    let style: String
    let marker: Marker

    /// - Parameter method: nil for types that are converted to.
    init(_ method: String?) {
        name = method ?? "converted"
        (style, marker) =
            switch method {
            case nil: ("m-none", .circle)
            case "rtn": ("m-rtn", .circle)
            case "gptq": ("m-gptq", .square)
            case "awq": ("m-awq", .triangle)
            default: ("m-other", .diamond)
            }
    }

    /// Those of a report's entries, each once, in their order.
    static func all(_ entries: [LadderReport.Entry]) -> [MethodStyle] {
        var styles: [MethodStyle] = []
        for entry in entries {
            let style = MethodStyle(entry.method)
            if !styles.contains(style) { styles.append(style) }
        }
        return styles
    }
}

/// The names of what is drawn, one beside the other.
struct Legend {
    /// What stands before a name.
    enum Sample {
        case point(Marker)
        case line
        case lineWithPoint(Marker)
        case patch(fill: String)
    }

    private var items: [(sample: Sample, style: String, name: String)] = []

    mutating func add(_ sample: Sample, style: String, _ name: String) {
        items.append((sample, style, name))
    }

    /// Draws the names in as many lines as they take.
    ///
    /// - Returns: the height taken.
    func draw(_ svg: inout SVG, x left: Double, y top: Double, width: Double) -> Double {
        var (x, y) = (left, top)
        for (sample, style, name) in items {
            let itemWidth = 24 + SVG.textWidth(name)
            if x > left, x + itemWidth > left + width { (x, y) = (left, y + 20) }
            let middle = y + 8
            switch sample {
            case .point(let marker): svg.marker(marker, x + 8, middle, style: style)
            case .line: svg.line(x, middle, x + 16, middle, style: style)
            case .lineWithPoint(let marker):
                svg.line(x, middle, x + 16, middle, style: "line \(style)")
                svg.marker(marker, x + 8, middle, radius: 3, style: style)
            case .patch(let fill):
                svg.boxes([Box(x: x + 2, y: y + 2, width: 12, height: 12)], fill: fill)
            }
            svg.text(name, x + 21, y + 12)
            x += itemWidth + 14
        }
        return items.isEmpty ? 0 : y + 20 - top
    }
}
