/// Places labels beside points so that nothing covers anything else: each in turn takes the nearest place
/// that is free.
struct LabelPlacement {
    /// What labels may not leave.
    let bounds: Box
    private var taken: [Box]

    /// A label's place.
    struct Place: Hashable {
        /// The text's anchor, and its baseline.
        let x, baseline: Double
        /// Its side towards the point, so that a font of another width does not reach it.
        let anchor: SVG.Anchor
        /// Whether it is so far away that a line must lead to it.
        let needsLeader: Bool
        /// The end of that line.
        let leaderX, leaderY: Double
    }

    /// - Parameters:
    ///   - bounds: what labels may not leave.
    ///   - taken: what is drawn already, the points above all.
    init(bounds: Box, taken: [Box]) { (self.bounds, self.taken) = (bounds, taken) }

    /// What a line through points covers.
    static func boxes(along points: [(x: Double, y: Double)]) -> [Box] {
        zip(points, points.dropFirst()).flatMap { from, to in
            let (dx, dy) = (to.x - from.x, to.y - from.y)
            let count = max(1, (max(abs(dx), abs(dy)) / 4).rounded(.up))
            return stride(from: 0, through: count, by: 1).map { step in
                Box(
                    x: from.x + dx * step / count - 2, y: from.y + dy * step / count - 2,
                    width: 4, height: 4)
            }
        }
    }

    /// Takes the nearest free place, or none: a label that would cover something is left out.
    mutating func place(_ text: String, besideX x: Double, y: Double) -> Place? {
        // Names are bold, which is wider.
        let (width, height) = (SVG.textWidth(text) * 1.15, SVG.fontSize + 2)
        for distance in [8.0, 14, 24, 36, 50, 66] {
            // Right and left first, where a label reads as the point's own.
            for (dx, dy) in [
                (1.0, 0.0), (-1, 0), (0.7, -0.7), (-0.7, -0.7), (0.7, 0.7), (-0.7, 0.7), (0, -1),
                (0, 1),
            ] {
                let (anchorX, anchorY) = (x + dx * distance, y + dy * distance)
                let box = Box(
                    x: dx > 0.5 ? anchorX : dx < -0.5 ? anchorX - width : anchorX - width / 2,
                    y: anchorY - height / 2 + dy * height / 3, width: width, height: height)
                guard bounds.contains(box), !taken.contains(where: box.intersects) else { continue }
                taken.append(box)
                let anchor: SVG.Anchor = dx > 0.5 ? .start : dx < -0.5 ? .end : .middle
                return Place(
                    x: anchorX, baseline: box.y + height - 4, anchor: anchor,
                    needsLeader: distance > 14,
                    leaderX: min(max(x, box.x), box.x + width),
                    leaderY: min(max(y, box.y), box.y + height))
            }
        }
        return nil
    }
}
