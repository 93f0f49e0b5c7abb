#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import BlockFormats
import Kernels
import TensorIR

/// How far the weights of one tensor are from those of another.
public struct WeightError: Sendable, Hashable {
    /// Σ a², Σ b², Σ a·b and Σ (a − b)² over all weights a of the first tensor and b of the second.
    public private(set) var firstSquares = 0.0, secondSquares = 0.0, products = 0.0,
        errorSquares = 0.0
    /// The largest |a − b|; infinite where one of them is no finite number and the other is not the same.
    public private(set) var largest = 0.0
    /// Where the largest is.
    public private(set) var row = 0, column = 0
    public private(set) var weightCount = 0

    /// Compares two tensors, whatever their encodings.
    ///
    /// - Parameters:
    ///   - first: what is taken for right.
    ///   - second: of the same shape.
    ///   - workers: the threads to work on. The result does not depend on their number.
    /// - Throws: `UnsupportedEncoding`, and what reading the tensors throws.
    package init(
        _ first: any TensorSource, _ second: any TensorSource, _ workers: Workers
    ) throws {
        precondition(first.descriptor.shape == second.descriptor.shape)
        let columns = first.descriptor.columns
        let codec = try RowCodec(second.descriptor.encoding, columns: columns)
        let parts = try first.mapDecodedRows(workers) { weights, rows in
            let others = Matrix(rows: rows.count, columns: columns)
            try second.withBytes(rows: rows) { codec.decode($0, into: others.elements) }
            return WeightError(
                weights, UnsafeBufferPointer(others.elements), columns, rows.lowerBound)
        }
        for part in parts { add(part) }
    }

    private init(
        _ first: UnsafeBufferPointer<Float>, _ second: UnsafeBufferPointer<Float>, _ columns: Int,
        _ firstRow: Int
    ) {
        weightCount = first.count
        for index in first.indices {
            let (a, b) = (Double(first[index]), Double(second[index]))
            // The same infinity, or NaN twice, is no error.
            let isSame = first[index].bitPattern == second[index].bitPattern
            let error = isSame ? 0 : a - b
            firstSquares += a * a
            secondSquares += b * b
            products += a * b
            errorSquares += error * error
            let magnitude = error.isFinite ? abs(error) : .infinity
            if magnitude > largest {
                largest = magnitude
                (row, column) = (firstRow + index / columns, index % columns)
            }
        }
    }

    /// Takes up what was found in rows further down.
    private mutating func add(_ part: WeightError) {
        firstSquares += part.firstSquares
        secondSquares += part.secondSquares
        products += part.products
        errorSquares += part.errorSquares
        weightCount += part.weightCount
        if part.largest > largest {
            (largest, row, column) = (part.largest, part.row, part.column)
        }
    }

    /// Whether all weights have the same values.
    public var isZero: Bool { largest == 0 }

    /// Σ a² / Σ (a − b)² in decibels; infinite for equal weights, NaN where weights are not finite.
    public var signalToNoise: Double {
        isZero ? .infinity : 10 * log10(firstSquares / errorSquares)
    }

    /// The cosine of the angle between the tensors as vectors; 1 for equal ones.
    public var cosine: Double {
        isZero ? 1 : products / (firstSquares * secondSquares).squareRoot()
    }

    /// √(Σ (a − b)² / Σ a²).
    public var relative: Double { isZero ? 0 : (errorSquares / firstSquares).squareRoot() }
}
