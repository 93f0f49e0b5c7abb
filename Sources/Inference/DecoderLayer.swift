import Architectures
import Kernels

/// The weights of one decoder layer, and what its description makes of the options.
struct DecoderLayer: Sendable {
    /// By the role of their weights.
    private(set) var matrices: [TensorRole: LinearMatrix]
    let norms: [TensorRole.Module: Normalization]
    let queries: HeadPreparation
    let keys: HeadPreparation
    let values: HeadPreparation
    let attention: Attention

    init(_ model: DecoderWeights, layer: Int, rotary: RotaryTable?) throws {
        let description = model.description
        let modules = description.modules(ofLayer: layer)
        var roles = modules.map { TensorRole($0, layer: layer) }
        for expert in 0..<(description.experts?.count ?? 0) {
            roles += description.expertModules(ofLayer: layer).map {
                TensorRole($0, layer: layer, expert: expert)
            }
        }
        matrices = try roles.filter { !$0.module.isNorm }.reduce(into: [:]) {
            $0[$1] = try model.matrix($1)
        }
        func norm(_ module: TensorRole.Module, width: Int) throws -> Normalization? {
            try Normalization(TensorRole(module, layer: layer), of: model, width: width)
        }
        var norms: [TensorRole.Module: Normalization] = [:]
        for module: TensorRole.Module in [
            .attentionNorm, .attentionPostNorm, .feedForwardNorm, .feedForwardPostNorm,
        ] {
            norms[module] = try norm(module, width: description.hiddenSize)
        }
        self.norms = norms

        let headSize = description.headSize
        func preparation(norm: Normalization?, rotary: RotaryTable?) -> HeadPreparation {
            HeadPreparation(
                clip: description.projectionClip, norm: norm, rotary: rotary, headSize: headSize)
        }
        queries = preparation(
            norm: try norm(.queryNorm, width: description.headCount * headSize), rotary: rotary)
        keys = preparation(
            norm: try norm(.keyNorm, width: description.keyValueHeadCount * headSize),
            rotary: rotary)
        values = preparation(norm: nil, rotary: nil)
        attention = Attention(description, layer: layer, precision: model.precision)
    }

    /// Lends the layer with its weights decoded, as `LinearMatrix.withPrepared` does.
    func withPrepared(_ workers: Workers, _ body: (DecoderLayer) throws -> Void) throws {
        let roles = Array(matrices.keys)
        try LinearMatrix.withPrepared(roles.compactMap { matrices[$0] }, workers) { prepared in
            var layer = self
            layer.matrices = Dictionary(uniqueKeysWithValues: zip(roles, prepared))
            try body(layer)
        }
    }
}
