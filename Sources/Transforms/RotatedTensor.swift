import BlockFormats
import Kernels
import Synchronization
import TensorIR

/// A tensor as 32-bit floats with its columns, its rows or both rotated, worked out when it is first read.
///
/// For W, (outputs, inputs), it shows Lᵀ · W · diag(gains) · R: the weights of a layer whose inputs are
/// x·R, without the gains that came before, and whose outputs are y·L. A matrix that is smaller than the
/// tensor turns each of its blocks alike.
struct RotatedTensor: TensorSource {
    let descriptor: TensorDescriptor
    private let base: any TensorSource
    private let gains: [Float]?
    private let inputs: OrthogonalMatrix?
    private let outputs: OrthogonalMatrix?
    private let cache: RotationCache
    private let key = RotationCache.Key()

    /// - Parameters:
    ///   - base: (outputs, inputs), or a vector, which counts as one row.
    ///   - gains: one for each input.
    ///   - inputs: R, whose order divides the columns.
    ///   - outputs: L, whose order divides the rows.
    ///   - cache: what keeps the result for a while.
    /// - Throws: `UnsupportedEncoding`, and `ModelError` for a tensor too large for 32-bit floats.
    init(
        _ base: any TensorSource, gains: [Float]? = nil, inputs: OrthogonalMatrix? = nil,
        outputs: OrthogonalMatrix? = nil, cache: RotationCache
    ) throws {
        let decoded = try DecodedTensor(base, columnFactors: gains)
        descriptor = decoded.descriptor
        precondition(descriptor.columns.isMultiple(of: inputs?.order ?? 1))
        precondition(descriptor.rows.isMultiple(of: outputs?.order ?? 1))
        self.base = decoded
        (self.gains, self.inputs, self.outputs, self.cache) = (gains, inputs, outputs, cache)
    }

    func withBytes<Result>(
        rows: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= descriptor.rows)
        let matrix = try cache.matrix(key, make: rotated)
        return try withExtendedLifetime(matrix) {
            try body(UnsafeRawBufferPointer(matrix.rows(rows)))
        }
    }

    private func rotated() throws -> Matrix {
        let (rows, columns) = (descriptor.rows, descriptor.columns)
        var matrix = Matrix(rows: rows, columns: columns)
        try base.withBytes(rows: 0..<rows) {
            UnsafeMutableRawBufferPointer(matrix.elements).copyMemory(from: $0)
        }
        if let inputs {
            let (order, result) = (inputs.order, Matrix(rows: rows, columns: columns))
            for start in stride(from: 0, to: columns, by: order) {
                multiply(
                    MatrixOperand(matrix.pointer(toRow: 0, column: start), stride: columns),
                    MatrixOperand(inputs.elements.pointer(toRow: 0), stride: order),
                    into: result.pointer(toRow: 0, column: start), stride: columns, rows: rows,
                    inner: order, columns: order)
            }
            matrix = result
        }
        if let outputs {
            let (order, result) = (outputs.order, Matrix(rows: rows, columns: columns))
            for start in stride(from: 0, to: rows, by: order) {
                multiply(
                    MatrixOperand(
                        outputs.elements.pointer(toRow: 0), stride: order, transposed: true),
                    MatrixOperand(matrix.pointer(toRow: start), stride: columns),
                    into: result.pointer(toRow: start), stride: columns, rows: order, inner: order,
                    columns: columns)
            }
            matrix = result
        }
        return matrix
    }
}

/// Keeps the matrices that were rotated last.
///
/// Passes over a model stay with a layer for a while and read its matrices many times; a whole large model
/// in 32-bit floats would be too much to keep.
final class RotationCache: Sendable {
    /// The identity of a tensor. It is kept with the matrix, so that no other can take its place.
    final class Key: Sendable {}

    private struct Entry {
        let key: Key
        let matrix: Matrix
    }

    private let byteLimit: Int
    /// The one made first stands first.
    private let kept = Mutex<[Entry]>([])

    init(byteLimit: Int = 2 << 30) { self.byteLimit = byteLimit }

    /// A tensor's matrix, made if it is not kept; others wait meanwhile, for most of them want the same.
    func matrix(_ key: Key, make: () throws -> Matrix) throws -> Matrix {
        try kept.withLock { kept in
            if let entry = kept.first(where: { $0.key === key }) { return entry.matrix }
            let matrix = try make()
            kept.append(Entry(key: key, matrix: matrix))
            var byteCount = kept.reduce(0) { $0 + $1.matrix.elements.count * 4 }
            while byteCount > byteLimit, kept.count > 1 {
                byteCount -= kept.removeFirst().matrix.elements.count * 4
            }
            return matrix
        }
    }
}
