import Architectures
import Kernels

/// A norm with the gains and biases that a model gives it.
struct Normalization: Sendable {
    private let kind: DecoderDescription.Norm.Kind
    private let epsilon: Float
    /// Elements that are brought to unit size together.
    private let span: Int
    /// One or several spans of gains, for consecutive spans of a row.
    private let gain: [Float]
    private let bias: [Float]?

    /// The norm of a module, or nil where the model has none.
    ///
    /// - Parameters:
    ///   - role: the norm's weights.
    ///   - model: whose they are.
    ///   - width: elements of the vectors that are normed.
    /// - Throws: `ModelError` where there should be gains and are none.
    init?(_ role: TensorRole, of model: DecoderWeights, width: Int) throws {
        let description = model.description
        guard description.norms.contains(role.module) else { return nil }
        let isOfHeads = role.module == .queryNorm || role.module == .keyNorm
        span =
            isOfHeads && description.headNormScope != .projection ? description.headSize : width
        (kind, epsilon) = (description.norm.kind, description.norm.epsilon)
        let offset = description.norm.gainOffset
        gain =
            description.norm.hasGain
            ? try model.requiredVector(role).map { $0 + offset }
            : [Float](repeating: 1, count: span)
        bias = try model.vector(role.bias)
    }

    /// Norms one vector; `out` may be the vector itself.
    func apply(
        to x: UnsafeMutableBufferPointer<Float>, into out: UnsafeMutableBufferPointer<Float>
    ) {
        for start in stride(from: 0, to: x.count, by: span) {
            let place = start..<start + span
            let vector = UnsafeBufferPointer(rebasing: x[place])
            let target = UnsafeMutableBufferPointer(rebasing: out[place])
            let parameters = start % gain.count..<start % gain.count + span
            gain.withUnsafeBufferPointer {
                let gain = UnsafeBufferPointer(rebasing: $0[parameters])
                switch kind {
                case .rms:
                    RowFunctions.rmsNorm(vector, gain: gain, epsilon: epsilon, into: target)
                case .layer:
                    RowFunctions.layerNorm(vector, gain: gain, epsilon: epsilon, into: target)
                }
            }
            guard let bias else { continue }
            for (index, parameter) in parameters.enumerated() { target[index] += bias[parameter] }
        }
    }

    /// Norms every row; `out` may be the matrix itself.
    func apply(to x: Matrix, into out: Matrix, _ workers: Workers) {
        workers.forEachRange(of: x.rows, length: 256) { range in
            for row in range { apply(to: x.row(row), into: out.row(row)) }
        }
    }
}
