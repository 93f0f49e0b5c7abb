import Architectures
import BlockFormats
import TensorIR

/// Scales of channels, written into a model's own tensors: the model computes what it did before.
///
/// A channel with scale s is divided by s where it is made (gains and bias of a norm, rows and bias of a
/// matrix) and multiplied by s where it is read (columns of matrices).
package struct ChannelScaling: Sendable {
    private var rowFactors: [TensorRole: [Float]] = [:]
    private var columnFactors: [TensorRole: [Float]] = [:]

    package init() {}

    /// Adds the scales of one fold.
    ///
    /// - Parameters:
    ///   - scales: one for each channel, positive.
    ///   - fold: where. A tensor's columns are scaled by one fold at most, and so are its rows.
    package mutating func add(_ scales: [Float], at fold: ChannelFold) {
        precondition(scales.count == fold.channelCount && scales.allSatisfy { $0 > 0 })
        rowFactors[fold.source] = scales.map { 1 / $0 }
        let columns = fold.channelOfColumn.map { scales[$0] }
        for target in fold.targets { columnFactors[target] = columns }
    }

    /// The model with the scales in its tensors, all of its layers' tensors in 32-bit floats.
    /// - Throws: `ModelError` for a tensor that no factor can be applied to.
    package func applied(to model: LanguageModel) throws -> LanguageModel {
        let tensors = model.tensors.map { ($0.key, $0.value) }
        return model.replacing(try replacements(in: tensors, of: model.description))
    }

    /// The tensors that change.
    ///
    /// Matrices that a file may hold in one tensor must have one encoding, so all of a layer change.
    ///
    /// - Parameters:
    ///   - tensors: a model's.
    ///   - description: the model's.
    /// - Returns: tensors of the same shapes.
    /// - Throws: `ModelError` for a tensor that no factor can be applied to.
    package func replacements(
        in tensors: [(TensorRole, any TensorSource)], of description: DecoderDescription
    ) throws -> [TensorRole: any TensorSource] {
        try tensors.reduce(into: [:]) { result, entry in
            let (role, tensor) = entry
            guard role.layer != nil else { return }
            let weights = TensorRole(role.module, layer: role.layer, expert: role.expert)
            let rows = rowFactors[weights]
            if role.module.isNorm, role.parameter == .weight {
                let offset = description.norm.gainOffset
                guard let rows else { return }
                let gains = zip(try tensor.floats(), rows).map { ($0 + offset) * $1 - offset }
                result[role] = try BufferedTensor(tensor.descriptor.name, floats: gains)
            } else if tensor.descriptor.shape.count == 1 {
                // A bias has an element for each row; a router of one row is a vector itself.
                let factors = role.parameter == .bias ? rows : columnFactors[weights]
                result[role] = try DecodedTensor(tensor, columnFactors: factors)
            } else {
                result[role] = try DecodedTensor(
                    tensor, rowFactors: rows, columnFactors: columnFactors[weights])
            }
        }
    }
}
