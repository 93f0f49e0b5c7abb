import Architectures
import BlockFormats
import TensorIR

/// What a decoder is made of: a description and the tensors that it asks for.
package struct DecoderWeights: Sendable {
    package let description: DecoderDescription
    /// Of products with matrices.
    package let precision: Precision
    private let tensors: [TensorRole: any TensorSource]

    package init(
        _ description: DecoderDescription, tensors: [TensorRole: any TensorSource],
        precision: Precision = .f32
    ) {
        (self.description, self.tensors) = (description, tensors)
        self.precision = precision
    }

    package init(_ model: LanguageModel, precision: Precision = .f32) {
        self.init(
            model.description,
            tensors: Dictionary(
                uniqueKeysWithValues: model.tensors.map { ($0.key, $0.value) }),
            precision: precision)
    }

    /// A module's weights and bias, nil where the model has no such weights.
    func matrix(_ role: TensorRole) throws -> LinearMatrix? {
        try tensors[role].map {
            try LinearMatrix($0, bias: vector(role.bias), precision: precision)
        }
    }

    func requiredMatrix(_ role: TensorRole) throws -> LinearMatrix {
        guard let matrix = try matrix(role) else { throw ModelError(missing: role) }
        return matrix
    }

    /// What makes logits: the token embedding where the output is tied to it.
    func outputMatrix() throws -> LinearMatrix {
        let role = TensorRole(description.isOutputTied ? .tokenEmbedding : .output)
        guard let source = tensors[role] else { throw ModelError(missing: role) }
        return try LinearMatrix(
            source, bias: vector(TensorRole(.output, .bias)), precision: precision)
    }

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
        guard let vector = try vector(role) else { throw ModelError(missing: role) }
        return vector
    }
}

extension ModelError {
    init(missing role: TensorRole) {
        self.init("a tensor for '\(role.module.rawValue)' is missing")
    }
}

extension TensorRole {
    /// The bias of the module whose weights this names.
    var bias: TensorRole { TensorRole(module, layer: layer, expert: expert, .bias) }
}
