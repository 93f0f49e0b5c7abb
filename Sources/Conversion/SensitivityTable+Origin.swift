import Architectures
import BlockFormats
import ByteIO
import TensorIR

extension LanguageModel {
    /// Rows of a matrix that the digest looks at, at most.
    private static let digestedRowCount = 16
    /// Weights below count as 0.
    private static let leastDigestedWeight: Float = 0x1p-14

    /// A digest of weights, the same for a model in any format that changes none of them.
    ///
    /// Specified in Formats/Recipes/SPECIFICATION.md, "The weight digest".
    /// - Throws: `ModelError`, and what reading the weights throws.
    public func weightDigest() throws -> String {
        let lines = try exportedTensors(to: .gguf).filter(\.mayBeQuantized).map { tensor in
            let descriptor = tensor.source.descriptor
            let codec = try RowCodec(descriptor.encoding, columns: descriptor.columns)
            let step = (descriptor.rows + Self.digestedRowCount - 1) / Self.digestedRowCount
            var bytes: [UInt8] = []
            for row in stride(from: 0, to: descriptor.rows, by: max(1, step)) {
                var weights = [Float](repeating: 0, count: descriptor.columns)
                try tensor.source.withBytes(rows: row..<row + 1) { row in
                    weights.withUnsafeMutableBufferPointer { codec.decode(row, into: $0) }
                }
                for weight in weights {
                    // Halves round what is smaller than their normal numbers.
                    let weight = weight.magnitude < Self.leastDigestedWeight ? 0 : weight
                    withUnsafeBytes(of: weight.bitPattern.littleEndian) { bytes += $0 }
                }
            }
            return (descriptor.name, "\(ContentDigest.sha256(bytes))  \(descriptor.name)\n")
        }
        let sorted = lines.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        return ContentDigest.sha256(Array(sorted.map(\.1).joined().utf8))
    }
}

extension SensitivityTable {
    /// Refuses a table that was measured on another model or another text, as far as either is known.
    func checkOrigin(_ model: LanguageModel, _ recipe: Recipe) throws {
        guard let origin else { return }
        func check(_ what: String, _ measured: String, _ here: String) throws(ModelError) {
            guard measured != here else { return }
            throw ModelError(
                "the sensitivities are of another \(what): its SHA-256 is "
                    + "\(String(measured.prefix(64)).escapedForDisplay), not \(here)")
        }
        try check("model's weights", origin.modelDigest, model.weightDigest())
        if let measured = origin.textDigest, let here = recipe.calibrationDigest {
            try check("calibration text", measured, here)
        }
    }
}
