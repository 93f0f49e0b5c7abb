import Architectures
import BlockFormats
import Kernels
import TensorIR

/// The weights of one decoder layer.
struct DecoderLayer: Sendable {
    let matrices: [TensorRole.Module: LinearMatrix]
    let attentionNorm: [Float]
    let feedForwardNorm: [Float]

    init(_ model: LanguageModel, layer: Int) throws {
        var matrices: [TensorRole.Module: LinearMatrix] = [:]
        for module in TensorRole.Module.allCases where module.isLinear {
            guard let source = model.tensors[TensorRole(module, layer: layer)] else { continue }
            let bias = try model.vector(TensorRole(module, layer: layer, .bias))
            matrices[module] = try LinearMatrix(source, bias: bias)
        }
        self.matrices = matrices
        attentionNorm = try model.requiredVector(TensorRole(.attentionNorm, layer: layer))
        feedForwardNorm = try model.requiredVector(TensorRole(.feedForwardNorm, layer: layer))
    }
}

extension LanguageModel {
    /// A vector's elements, or nil where the model has none of that role.
    func vector(_ role: TensorRole) throws -> [Float]? {
        guard let source = tensors[role] else { return nil }
        let descriptor = source.descriptor
        let codec = try RowCodec(descriptor.encoding, columns: descriptor.columns)
        var values = [Float](repeating: 0, count: descriptor.count)
        try source.withBytes(rows: 0..<descriptor.rows) { bytes in
            values.withUnsafeMutableBufferPointer { codec.decode(bytes, into: $0) }
        }
        return values
    }

    func requiredVector(_ role: TensorRole) throws -> [Float] {
        guard let vector = try vector(role) else {
            throw ModelError("a tensor for '\(role.module.rawValue)' is missing")
        }
        return vector
    }
}
