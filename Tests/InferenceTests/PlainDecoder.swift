import Architectures
import TensorIR
import TestSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The decoder's definition: one sequence, one token after the other, in double precision.
struct PlainDecoder {
    typealias Vector = [Double]

    let description: DecoderDescription
    let tensors: [TensorRole: Vector]
    /// Positions that rotary embeddings are made for.
    let positionCount: Int

    init(
        _ description: DecoderDescription, _ tensors: [TensorRole: BufferedTensor],
        positionCount: Int
    ) {
        self.description = description
        self.tensors = tensors.mapValues { $0.floats.map(Double.init) }
        self.positionCount = positionCount
    }

    /// Logits of every position.
    func logits(_ ids: [Int32]) -> [Vector] {
        var x = ids.indices.map { embed(Int(ids[$0]), position: $0) }
        for layer in description.layers.indices { run(layer, &x) }
        return x.map { x in
            var x = normed(.outputNorm, x)
            if has(.outputProjection) { x = linear(.outputProjection, x) }
            let matrix: TensorRole.Module =
                description.isOutputTied ? .tokenEmbedding : .output
            var logits = scaled(linear(matrix, x), description.logitScale)
            if let cap = description.logitSoftcap { logits = logits.map { capped($0, cap) } }
            return logits
        }
    }

    // MARK: Embedding

    private func embed(_ id: Int, position: Int) -> Vector {
        var x = row(id, of: .tokenEmbedding)
        if has(.embeddingProjection) { x = linear(.embeddingProjection, x) }
        x = scaled(x, description.embeddingScale)
        switch description.absolutePositions {
        case .learned(let offset): x = sum(x, row(position + offset, of: .positionEmbedding))
        case .sinusoidal:
            let half = x.count / 2
            for pair in 0..<half {
                let wavelength = 2 * Double.pi * pow(10000, Double(pair) / Double(half - 1))
                x[pair] += sin(2 * .pi * Double(position) / wavelength)
                x[half + pair] += cos(2 * .pi * Double(position) / wavelength)
            }
        case nil: break
        }
        return normed(.embeddingNorm, x)
    }

    // MARK: Layers

    private func run(_ layer: Int, _ x: inout [Vector]) {
        func attended(_ x: [Vector]) -> [Vector] {
            attention(layer, x).map {
                scaled(normed(.attentionPostNorm, $0, layer: layer), description.residualScale)
            }
        }
        func fed(_ x: [Vector]) -> [Vector] {
            x.map {
                let result = feedForward(layer, $0)
                return scaled(
                    normed(.feedForwardPostNorm, result, layer: layer), description.residualScale)
            }
        }
        switch description.arrangement {
        case .sequential:
            x = zip(x, attended(x.map { normed(.attentionNorm, $0, layer: layer) })).map(sum)
            x = zip(x, fed(x.map { normed(.feedForwardNorm, $0, layer: layer) })).map(sum)
        case .parallel:
            let first = x.map { normed(.attentionNorm, $0, layer: layer) }
            let second =
                description.norms.contains(.feedForwardNorm)
                ? x.map { normed(.feedForwardNorm, $0, layer: layer) } : first
            x = zip(x, zip(attended(first), fed(second)).map(sum)).map(sum)
        case .normedStream:
            x = x.map { normed(.attentionNorm, $0, layer: layer) }
            x = zip(x, attended(x)).map { normed(.feedForwardNorm, sum($0, $1), layer: layer) }
            x = zip(x, fed(x)).map(sum)
        case .normAfterSum:
            x = zip(x, attended(x)).map { normed(.attentionNorm, sum($0, $1), layer: layer) }
            x = zip(x, fed(x)).map { normed(.feedForwardNorm, sum($0, $1), layer: layer) }
        }
    }

    // MARK: Attention

    private func attention(_ layer: Int, _ x: [Vector]) -> [Vector] {
        let probabilities = probabilities(layer, x)
        let values = x.map { clipped(linear(.value, $0, layer: layer)) }
        let (heads, size) = (description.headCount, description.headSize)
        return x.indices.map { query in
            let result = (0..<heads * size).map { column -> Double in
                let (head, dimension) = column.quotientAndRemainder(dividingBy: size)
                let place = head * description.keyValueHeadCount / heads * size + dimension
                var sum = 0.0
                for key in x.indices { sum += probabilities[head][query][key] * values[key][place] }
                return sum
            }
            return linear(.attentionOutput, result, layer: layer)
        }
    }

    /// What every query gives to every position: (head, query, position).
    func probabilities(_ layer: Int, _ x: [Vector]) -> [[Vector]] {
        let queries = x.indices.map { prepared(.query, .queryNorm, layer, x[$0], position: $0) }
        let keys = x.indices.map { prepared(.key, .keyNorm, layer, x[$0], position: $0) }
        let heads = description.headCount
        return (0..<heads).map { head -> [Vector] in
            x.indices.map { query -> Vector in
                let scores = x.indices.map { key -> Double in
                    let product = dot(
                        queries[query], head, keys[key],
                        head * description.keyValueHeadCount / heads)
                    return score(product, layer, head: head, query: query, key: key)
                }
                return softmax(scores)
            }
        }
    }

    /// The product of one head of `a` and one of `b`.
    private func dot(_ a: Vector, _ headOfA: Int, _ b: Vector, _ headOfB: Int) -> Double {
        let size = description.headSize
        var sum = 0.0
        for index in 0..<size { sum += a[headOfA * size + index] * b[headOfB * size + index] }
        return sum
    }

    private func score(
        _ product: Double, _ layer: Int, head: Int, query: Int, key: Int
    ) -> Double {
        let window = description.window(ofLayer: layer) ?? .max
        guard key <= query, query - key < window else { return -.infinity }
        let scale = Double(description.attentionScale(ofLayer: layer))
        var score = product * scale
        if let cap = description.attentionSoftcap { score = capped(score, cap) }
        guard let bias = description.linearBias else { return score }
        let slope = slopes(bias.maximum, heads: description.headCount)[head]
        let added =
            bias.isRounded
            ? eightBits(eightBits(slope) * eightBits(Double(key))) : slope * Double(key)
        return score + added * (bias.isScaled ? scale : 1)
    }

    private func prepared(
        _ module: TensorRole.Module, _ norm: TensorRole.Module, _ layer: Int, _ x: Vector,
        position: Int
    ) -> Vector {
        let size = description.headSize
        var heads = clipped(linear(module, x, layer: layer))
        if description.norms.contains(norm) {
            if description.headNormScope == .projection {
                heads = normed(norm, heads, layer: layer)
            } else {
                heads = stride(from: 0, to: heads.count, by: size).flatMap { start in
                    let offset = description.headNormScope == .ownHead ? start : 0
                    let head = Array(heads[start..<start + size])
                    return normed(norm, head, layer: layer, offset: offset)
                }
            }
        }
        guard let rotary = description.rotary(ofLayer: layer) else { return heads }
        let half = rotary.dimensionCount / 2
        for (pair, frequency) in rotary.frequencies(positionCount: positionCount).enumerated() {
            let angle = frequency * Double(position)
            for start in stride(from: 0, to: heads.count, by: size) {
                let (first, second) =
                    rotary.pairing == .halves
                    ? (start + pair, start + pair + half)
                    : (start + 2 * pair, start + 2 * pair + 1)
                let (a, b) = (heads[first], heads[second])
                heads[first] = (a * cos(angle) - b * sin(angle)) * rotary.attentionFactor
                heads[second] = (a * sin(angle) + b * cos(angle)) * rotary.attentionFactor
            }
        }
        return heads
    }

    private func slopes(_ maximum: Float, heads: Int) -> Vector {
        func series(_ count: Int) -> Vector {
            (1...count).map { pow(2, -Double(maximum) * Double($0) / Double(count)) }
        }
        var count = 1
        while count * 2 <= heads { count *= 2 }
        let between = series(2 * count).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        return Array((series(count) + between).prefix(heads))
    }

    // MARK: Feed-forward

    private func feedForward(_ layer: Int, _ x: Vector) -> Vector {
        func gated(
            _ gate: TensorRole.Module, _ up: TensorRole.Module, _ down: TensorRole.Module,
            expert: Int?
        ) -> Vector {
            let inner = linear(up, x, layer: layer, expert: expert)
            let activated =
                description.isGated
                ? zip(linear(gate, x, layer: layer, expert: expert).map(activation), inner).map(*)
                : inner.map(activation)
            return linear(down, activated, layer: layer, expert: expert)
        }
        guard description.layers[layer].usesExperts, let experts = description.experts else {
            return gated(.gate, .up, .down, expert: nil)
        }
        let probabilities = softmax(linear(.router, x, layer: layer))
        let chosen = probabilities.indices.sorted { probabilities[$0] > probabilities[$1] }
            .prefix(experts.usedCount)
        let total = experts.isNormalized ? chosen.reduce(0) { $0 + probabilities[$1] } : 1
        var result = Vector(repeating: 0, count: x.count)
        for expert in chosen {
            let output = gated(.gate, .up, .down, expert: expert)
            result = sum(result, output.map { $0 * probabilities[expert] / total })
        }
        guard experts.sharedFeedForwardSize != nil else { return result }
        let weight = 1 / (1 + exp(-linear(.sharedRouter, x, layer: layer)[0]))
        let shared = gated(.sharedGate, .sharedUp, .sharedDown, expert: nil)
        return sum(result, shared.map { $0 * weight })
    }

    private func activation(_ x: Double) -> Double {
        let root = (2 / Double.pi).squareRoot()
        return switch description.activation {
        case .silu: x / (1 + exp(-x))
        case .gelu: x * erfc(-x / 2.0.squareRoot()) / 2
        case .geluTanh: x * (1 + tanh(root * (x + 0.044715 * x * x * x))) / 2
        case .geluSigmoid: x / (1 + exp(-1.702 * x))
        case .relu: max(x, 0)
        case .reluSquared: max(x, 0) * max(x, 0)
        }
    }

    // MARK: Arithmetic

    private func has(_ module: TensorRole.Module) -> Bool { tensors[TensorRole(module)] != nil }

    private func row(_ index: Int, of module: TensorRole.Module) -> Vector {
        let columns = description.shape(of: TensorRole(module))[1]
        let matrix = tensors[TensorRole(module), default: []]
        return Array(matrix[index * columns..<(index + 1) * columns])
    }

    private func linear(
        _ module: TensorRole.Module, _ x: Vector, layer: Int? = nil, expert: Int? = nil
    ) -> Vector {
        let role = TensorRole(module, layer: layer, expert: expert)
        let biasModule: TensorRole.Module =
            module == .tokenEmbedding ? .output : module
        let matrix = tensors[role, default: []]
        let bias = tensors[TensorRole(biasModule, layer: layer, expert: expert, .bias)]
        return (0..<matrix.count / x.count).map { row -> Double in
            var sum = bias?[row] ?? 0
            for index in x.indices { sum += x[index] * matrix[row * x.count + index] }
            return sum
        }
    }

    private func normed(
        _ module: TensorRole.Module, _ x: Vector, layer: Int? = nil, offset: Int = 0
    ) -> Vector {
        guard description.norms.contains(module) else { return x }
        let norm = description.norm
        let gains = tensors[TensorRole(module, layer: layer)]
        let biases = tensors[TensorRole(module, layer: layer, .bias)]
        let mean = norm.kind == .layer ? x.reduce(0, +) / Double(x.count) : 0
        let squares = x.map { ($0 - mean) * ($0 - mean) }
        let square = squares.reduce(0, +) / Double(x.count)
        return x.indices.map { index -> Double in
            var gain = 1.0
            if let gains { gain = gains[offset + index] + Double(norm.gainOffset) }
            let unit = (x[index] - mean) / (square + Double(norm.epsilon)).squareRoot()
            return unit * gain + (biases?[offset + index] ?? 0)
        }
    }

    private func softmax(_ scores: Vector) -> Vector {
        let maximum = scores.max() ?? 0
        let exponentials = scores.map { exp($0 - maximum) }
        let total = exponentials.reduce(0, +)
        return exponentials.map { $0 / total }
    }

    private func sum(_ a: Vector, _ b: Vector) -> Vector { zip(a, b).map(+) }
    private func scaled(_ x: Vector, _ scale: Float) -> Vector { x.map { $0 * Double(scale) } }
    private func capped(_ x: Double, _ cap: Float) -> Double { Double(cap) * tanh(x / Double(cap)) }

    private func clipped(_ x: Vector) -> Vector {
        guard let clip = description.projectionClip.map(Double.init) else { return x }
        return x.map { min(max($0, -clip), clip) }
    }

    /// The nearest number with eight significant bits.
    private func eightBits(_ x: Double) -> Double {
        guard x != 0 else { return 0 }
        let unit = Double(sign: .plus, exponent: x.exponent - 7, significand: 1)
        return (x / unit).rounded(.toNearestOrEven) * unit
    }
}
