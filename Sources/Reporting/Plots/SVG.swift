/// A drawing in Scalable Vector Graphics, element by element.
///
/// Lengths are CSS pixels: a drawing is shown at the width that it was made for, so that its text keeps the
/// size of the page's. Colours are the page's classes, which know light and dark.
struct SVG {
    /// Where a text stands about its point.
    enum Anchor: String { case start, middle, end }

    /// Of text, in pixels.
    static let fontSize = 12.0
    /// Wider than a character of most fonts is on average, so that what fits by this measure fits.
    static let characterWidth = 0.6 * fontSize
    static let lineHeight = 16.0

    let width: Double
    var height: Double
    private var body = ""

    init(width: Double, height: Double) { (self.width, self.height) = (width, height) }

    static func textWidth(_ text: String) -> Double { Double(text.count) * characterWidth }

    mutating func text(
        _ text: String, _ x: Double, _ y: Double, _ anchor: Anchor = .start, style: String = ""
    ) {
        let side = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
        body += "<text x=\"\(Self.spell(x))\" y=\"\(Self.spell(y))\"\(side)\(Self.named(style))>"
        body += "\(text.escapedForXML)</text>\n"
    }

    mutating func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, style: String
    ) {
        path([(x1, y1), (x2, y2)], style: style)
    }

    /// A line through points.
    mutating func path(_ points: [(x: Double, y: Double)], style: String) {
        guard points.count > 1 else { return }
        let data = points.map { "\(Self.spell($0.x)) \(Self.spell($0.y))" }.joined(separator: "L")
        body += "<path d=\"M\(data)\"\(Self.named(style))/>\n"
    }

    /// Rectangles of one colour.
    mutating func boxes(_ boxes: [Box], fill: String) {
        guard !boxes.isEmpty else { return }
        let data = boxes.map { box in
            "M\(Self.spell(box.x)) \(Self.spell(box.y))h\(Self.spell(box.width))"
                + "v\(Self.spell(box.height))h\(Self.spell(-box.width))z"
        }
        body += "<path d=\"\(data.joined())\" fill=\"\(fill)\"/>\n"
    }

    mutating func marker(
        _ marker: Marker, _ x: Double, _ y: Double, radius: Double = 5, style: String,
        title: String? = nil
    ) {
        let name = title.map { "<title>\($0.escapedForXML)</title>" } ?? ""
        let (px, py, r) = (Self.spell(x), Self.spell(y), radius)
        func polygon(_ corners: [(Double, Double)]) -> String {
            let data = corners.map { "\(Self.spell(x + $0.0)) \(Self.spell(y + $0.1))" }
                .joined(separator: "L")
            return "<path d=\"M\(data)z\"\(Self.named(style))>\(name)</path>\n"
        }
        switch marker {
        case .circle:
            body +=
                "<circle cx=\"\(px)\" cy=\"\(py)\" r=\"\(Self.spell(r))\"\(Self.named(style))>"
                + "\(name)</circle>\n"
        case .square:
            body += polygon([(-r, -r), (r, -r), (r, r), (-r, r)].map { ($0 * 0.9, $1 * 0.9) })
        case .triangle:
            body += polygon([(0, -r * 1.2), (r * 1.1, r * 0.8), (-r * 1.1, r * 0.8)])
        case .diamond:
            body += polygon([(0, -r * 1.25), (r * 1.25, 0), (0, r * 1.25), (-r * 1.25, 0)])
        }
    }

    /// The element, to be shown under a class of the page.
    func document(label: String, style: String) -> String {
        "<svg class=\"\(style)\" viewBox=\"0 0 \(Self.spell(width)) \(Self.spell(height))\" role=\"img\" "
            + "aria-label=\"\(label.escapedForXML)\">\n\(body)</svg>\n"
    }

    private static func named(_ style: String) -> String {
        style.isEmpty ? "" : " class=\"\(style)\""
    }

    /// A tenth of a pixel is finer than a screen.
    static func spell(_ value: Double) -> String {
        var text = NumberFormatting.fixed(value, decimals: 1)
        if text.hasSuffix(".0") { text.removeLast(2) }
        return text == "-0" ? "0" : text
    }
}

/// The shape of a point.
enum Marker: Sendable { case circle, square, triangle, diamond }

/// A rectangle on a drawing.
struct Box: Sendable, Hashable {
    var x, y, width, height: Double

    func intersects(_ other: Box) -> Bool {
        x < other.x + other.width && other.x < x + width && y < other.y + other.height
            && other.y < y + height
    }

    func contains(_ other: Box) -> Bool {
        x <= other.x && y <= other.y && other.x + other.width <= x + width
            && other.y + other.height <= y + height
    }
}
