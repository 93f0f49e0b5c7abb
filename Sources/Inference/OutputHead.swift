import Architectures
import Kernels

/// From the residual stream to logits.
struct OutputHead: Sendable {
    private let norm: Normalization?
    /// (embeddingSize, hiddenSize)
    private let projection: LinearMatrix?
    /// (vocabularySize, embeddingSize)
    private let output: LinearMatrix
    private let scale: Float
    private let softcap: Float?

    init(_ model: DecoderWeights) throws {
        let description = model.description
        norm = try Normalization(TensorRole(.outputNorm), of: model, width: description.hiddenSize)
        projection = try model.matrix(TensorRole(.outputProjection))
        output = try model.outputMatrix()
        (scale, softcap) = (description.logitScale, description.logitSoftcap)
    }

    /// Logits of some rows of the residual stream, (rows, vocabularySize), into `logits`.
    func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>,
        _ workers: Workers
    ) throws {
        let x = try input(of: hidden, rows: rows, workers)
        try output.multiply(x.elements, into: logits, workers: workers)
        guard scale != 1 || softcap != nil else { return }
        nonisolated(unsafe) let logits = logits
        workers.forEachRange(of: logits.count, length: 1 << 16) { range in
            let part = UnsafeMutableBufferPointer(rebasing: logits[range])
            if scale != 1 { for index in part.indices { part[index] *= scale } }
            if let softcap { RowFunctions.softcap(part, cap: softcap) }
        }
    }

    /// What the output matrix multiplies for some rows of the residual stream: (rows, embeddingSize).
    func input(of hidden: Matrix, rows: [Int], _ workers: Workers) throws -> Matrix {
        let x = Matrix(rows: rows.count, columns: hidden.columns)
        for (index, row) in rows.enumerated() {
            if let norm {
                norm.apply(to: hidden.row(row), into: x.row(index))
            } else {
                _ = x.row(index).update(fromContentsOf: hidden.row(row))
            }
        }
        guard let projection else { return x }
        let narrow = Matrix(rows: rows.count, columns: projection.rows)
        try projection.multiply(x.elements, into: narrow.elements, workers: workers)
        return narrow
    }
}
