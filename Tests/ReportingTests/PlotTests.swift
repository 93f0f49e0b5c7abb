import Testing

@testable import Reporting

@Suite struct ScaleTests {
    @Test(arguments: [
        ([0.3, 7.1], 6, ["0", "2", "4", "6", "8"]),
        ([12, 13.5], 4, ["12.0", "12.5", "13.0", "13.5"]),
        ([0, 30_000], 4, ["0", "10,000", "20,000", "30,000"]),
    ]) func linearTicksAreRoundAndHoldAllValues(
        values: [Double], count: Int, labels: [String]
    ) {
        let scale = Scale.linear(values, from: 0, to: 100, tickCount: count)
        #expect(scale.ticks.map(\.label) == labels)
        #expect(scale.lower <= values[0] && scale.upper >= values[1])
        #expect(scale.position(scale.lower) == 0)
        #expect(scale.position(scale.upper) == 100)
    }

    @Test(arguments: [
        ([0.00018, 0.24], ["10⁻⁴", "0.001", "0.01", "0.1", "1"]),
        ([0.011, 0.03], ["0.01", "0.02", "0.05"]), ([0.5, 0.5], ["0.5", "1"]),
        ([3e-5, 4e-5], ["2·10⁻⁵", "5·10⁻⁵"]),
    ]) func logarithmicTicksAreRoundAndHoldAllValues(values: [Double], labels: [String]) {
        let scale = Scale.logarithmic(values, from: 100, to: 0)
        #expect(scale.ticks.map(\.label) == labels)
        #expect(scale.lower <= values[0] * (1 + 1e-9) && scale.upper >= values[1] * (1 - 1e-9))
        #expect(scale.position(scale.upper) == 0)
    }

    @Test func logarithmicStepsAreEqualRatios() {
        let scale = Scale.logarithmic([0.001, 10], from: 0, to: 400)
        #expect(abs(scale.position(0.1) - scale.position(0.01) - 100) < 1e-9)
    }

    @Test func thingsAreCountedInWholeSteps() {
        let layers = Scale.linear([0, 3], from: 0, to: 10, tickCount: 6, countsThings: true)
        #expect(layers.ticks.map(\.label) == ["0", "1", "2", "3"])
        let windows = Scale.linear([1, 171], from: 0, to: 10, tickCount: 5, countsThings: true)
        #expect(windows.ticks.map(\.label) == ["50", "100", "150"])
        #expect(windows.upper == 171)
    }

    /// Whatever a damaged report says, an axis has an end.
    @Test(arguments: [[0, 0], [1e30, 1e30], [-1e30, 1e30], [1e-300, 1e30]] as [[Double]])
    func extremeValuesHaveAxes(values: [Double]) {
        #expect(Scale.linear(values, from: 0, to: 1).ticks.count < 20)
        if values[0] > 0 {
            #expect(Scale.logarithmic(values, from: 0, to: 1).ticks.count < 20)
        }
    }
}

@Suite struct LabelPlacementTests {
    /// Points that lie in a heap: labels go around them, and each other.
    @Test func labelsCoverNothing() {
        let points = (0..<8).map { (index: Int) -> (x: Double, y: Double) in
            (100 + Double(index % 3) * 4, 100 + Double(index) * 3)
        }
        let marks = points.map { Box(x: $0.x - 5, y: $0.y - 5, width: 10, height: 10) }
        let bounds = Box(x: 0, y: 0, width: 300, height: 200)
        var labels = LabelPlacement(bounds: bounds, taken: marks)
        var boxes: [Box] = []
        for point in points {
            guard let place = labels.place("Q4_0 rtn", besideX: point.x, y: point.y) else {
                continue
            }
            let width = SVG.textWidth("Q4_0 rtn")
            let x =
                switch place.anchor {
                case .start: place.x
                case .middle: place.x - width / 2
                case .end: place.x - width
                }
            let box = Box(x: x, y: place.baseline - 9, width: width, height: 11)
            #expect(bounds.contains(box))
            #expect(!(marks + boxes).contains(where: box.intersects))
            boxes.append(box)
        }
        #expect(boxes.count == 8)
    }

    @Test func aLabelWithoutRoomIsLeftOut() {
        let bounds = Box(x: 0, y: 0, width: 20, height: 20)
        var labels = LabelPlacement(bounds: bounds, taken: [])
        #expect(labels.place("a long name", besideX: 10, y: 10) == nil)
    }
}

@Test(arguments: [
    ("blk.12.ffn_down.weight", 12, "ffn_down"), ("token_embd.weight", nil, "token_embd"),
    ("blk.x.weight", nil, "blk.x"), ("blk.-1.a.weight", nil, "blk.-1.a"), ("", nil, ""),
]) func tensorsHaveTheirPlaceByName(name: String, layer: Int?, role: String) {
    let place = TensorPlace(name)
    #expect(place.layer == layer)
    #expect(place.role == role)
}

@Test(arguments: [
    (0.0565, "0.0565"), (12.34, "12.3"), (4.123e-7, "4.12·10⁻⁷"), (0, "0"), (-0.5, "-0.500"),
]) func significantDigitsAreKept(value: Double, text: String) {
    #expect(NumberFormatting.significant(value, digits: 3) == text)
}
