import BlockFormats
import Kernels
import TensorIR
import TestSupport
import Testing

@testable import Quantization

/// What sums of a few hundred floats may be off by: half a unit in the last place for each addition.
private let floatSums = 256 * 0x1p-24

private let superBlocks: [Encoding] = [
    .block(.q2_K), .block(.q3_K), .block(.q4_K), .block(.q5_K), .block(.q6_K), .block(.iq4_xs),
]

@Suite struct ScaleSearchTests {
    /// A search over 40,000 scales from a fraction to twice the range, against the few that are
    /// tried.
    @Test(arguments: [Encoding.block(.q4_0), .block(.q5_0), .block(.iq4_nl), grouped[1]])
    func findsNearlyWhatAnExhaustiveSearchFinds(encoding: Encoding) throws {
        let grid = try #require(LevelGrid(encoding))
        var generator = SeededGenerator(seed: 3)
        let count = grid.weightsPerBlock
        let block = Matrix(rows: count, columns: Tile.lanes, generator.normals(count * Tile.lanes))
        let weights = Matrix(
            rows: count, columns: Tile.lanes,
            (0..<count * Tile.lanes).map { _ in Float.random(in: 0.1...4, using: &generator) })
        let fitted = Matrix(rows: 2, columns: Tile.lanes)
        ScaleSearch(grid).fit(
            WeightedBlock(x: block.lanes(0), weights: weights.lanes(0), count: count),
            scales: fitted.lanes(0), minimums: fitted.lanes(1))

        let levels = grid.levelValues
        func error(_ lane: Int, scale: Float) -> Float {
            (0..<count).reduce(0) { sum, place in
                let x = block[place, lane]
                let nearest = levels.map { abs(scale * $0 - x) }.min() ?? 0
                return sum + weights[place, lane] * nearest * nearest
            }
        }
        var (found, best): (Float, Float) = (0, 0)
        for lane in 0..<8 {
            let extreme = (0..<count).map { block[$0, lane].magnitude }.max() ?? 0
            let unit = extreme / (levels.map(\.magnitude).max() ?? 1)
            found += error(lane, scale: fitted[0, lane])
            best +=
                (1...500).flatMap { step in
                    let scale = unit * (0.5 + Float(step) / 250)
                    return [error(lane, scale: scale), error(lane, scale: -scale)]
                }.min() ?? 0
        }
        #expect(found <= best * 1.03, "found \(found), exhaustive \(best)")
    }

    @Test(arguments: encodings) func beatsTheReferenceEncoder(encoding: Encoding) throws {
        let layer = Layer()
        let searched = try RoundToNearest().quantize(
            layer.weights, to: encoding, workers: oneWorker)
        let encoded = try layer.weights.reencoded(as: encoding)
        let error = squaredDistance(layer.weights, searched.decoded)
        #expect(error < squaredDistance(layer.weights, encoded))
    }

    /// Without importance a quicker search does; ones ask for the thorough one.
    @Test(arguments: encodings + superBlocks) func theQuickSearchFindsNearlyWhatTheThoroughOneFinds(
        encoding: Encoding
    ) throws {
        let layer = Layer(rows: 64, columns: 256)
        let quick = try RoundToNearest().quantize(layer.weights, to: encoding, workers: oneWorker)
        let thorough = try RoundToNearest().quantize(
            layer.weights, to: encoding, importance: [Float](repeating: 1, count: 256),
            workers: oneWorker)
        let error = squaredDistance(layer.weights, quick.decoded)
        #expect(error < squaredDistance(layer.weights, thorough.decoded) * 1.015)
    }

    /// What a report says is what the weights say.
    @Test(arguments: encodings + superBlocks) func theReportedErrorIsThatOfTheWeights(
        encoding: Encoding
    ) throws {
        let layer = Layer(rows: 66, columns: 256)
        let rounded = try RoundToNearest().quantize(
            layer.weights, to: encoding, importance: layer.diagonal, workers: oneWorker)
        let zeros = Matrix(rows: 66, columns: 256)
        let energy = squaredDistance(layer.weights, zeros, layer.diagonal)
        let error = squaredDistance(layer.weights, rounded.decoded, layer.diagonal)
        #expect((rounded.report.squaredOutput / energy - 1).magnitude < floatSums)
        #expect((rounded.report.relativeError * energy / error - 1).magnitude < floatSums)
    }

    @Test(arguments: encodings) func importanceMovesErrorsToWhereTheyMatterLess(
        encoding: Encoding
    ) throws {
        let layer = Layer()
        let importance = layer.diagonal
        let plain = try RoundToNearest().quantize(layer.weights, to: encoding, workers: oneWorker)
        let weighted = try RoundToNearest().quantize(
            layer.weights, to: encoding, importance: importance, workers: oneWorker)
        #expect(
            squaredDistance(layer.weights, weighted.decoded, importance)
                < squaredDistance(layer.weights, plain.decoded, importance))
    }

    @Test(arguments: [Encoding.block(.q4_0), .block(.q8_0), .block(.iq4_nl)])
    func roundsToTheNearestLevel(encoding: Encoding) throws {
        let grid = try #require(LevelGrid(encoding))
        let rounding = LevelRounding(grid.levels)
        let values = Matrix(
            rows: 1, columns: Tile.lanes, (0..<Tile.lanes).map { Float($0) * 4.37 - 140 })
        (values[0, 0], values[0, 1], values[0, 2]) = (.infinity, -.infinity, 3e38)
        let numbers = Matrix(rows: 3, columns: Tile.lanes)
        numbers.lanes(1).fillLanes(1)
        rounding.round(
            values.lanes(0), minimums: numbers.lanes(0), inverseScales: numbers.lanes(1),
            into: numbers.lanes(2))
        for lane in 0..<Tile.lanes {
            let nearest = grid.levelValues.min {
                ($0 - values[0, lane].clamped).magnitude < ($1 - values[0, lane].clamped).magnitude
            }
            #expect(numbers[2, lane] == nearest)
        }
    }

    private func squaredDistance(
        _ a: Matrix, _ b: Matrix, _ weights: [Float]? = nil
    ) -> Double {
        a.elements.indices.reduce(0) { sum, index in
            let difference = Double(a.elements[index]) - Double(b.elements[index])
            return sum + difference * difference * Double(weights?[index % a.columns] ?? 1)
        }
    }
}

extension LevelGrid {
    var levelValues: [Float] {
        switch levels {
        case .uniform(let range): range.map(Float.init)
        case .codebook(let codebook): codebook.map(Float.init)
        }
    }
}

extension Float {
    fileprivate var clamped: Float { Swift.min(Swift.max(self, -1e6), 1e6) }
}
