/// The rectangle in which values are drawn, with its axes.
struct PlotFrame {
    let box: Box
    let x, y: Scale

    /// Draws grid lines, ticks and titles. The vertical axis's title stands above it, so that it can be read
    /// without turning one's head.
    ///
    /// - Parameters:
    ///   - svg: the drawing.
    ///   - xTitle: below the axis, with its unit.
    ///   - yTitle: above the axis, with its unit.
    func drawAxes(_ svg: inout SVG, xTitle: String, yTitle: String) {
        let (right, bottom) = (box.x + box.width, box.y + box.height)
        for tick in y.ticks {
            let place = y.position(tick.value)
            svg.line(box.x, place, right, place, style: "grid")
            svg.text(tick.label, box.x - 7, place + 4, .end, style: "tick")
        }
        svg.line(box.x, bottom, right, bottom, style: "axis")
        var free = -Double.infinity
        for tick in x.ticks {
            let place = x.position(tick.value)
            svg.line(place, bottom, place, bottom + 4, style: "axis")
            let half = SVG.textWidth(tick.label) / 2
            // A label that would touch the one before is left out; its tick stays.
            guard place - half > free else { continue }
            svg.text(tick.label, place, bottom + 17, .middle, style: "tick")
            free = place + half + 4
        }
        svg.text(xTitle, box.x + box.width / 2, bottom + 34, .middle, style: "title")
        if !yTitle.isEmpty { svg.text(yTitle, 0, box.y - 14, style: "title") }
    }
}
