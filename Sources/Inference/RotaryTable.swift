import Architectures
import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Cosines and sines of every position's rotations, times the attention factor.
struct RotaryTable: Sendable {
    private let embedding: RotaryEmbedding
    /// (position, pair)
    private let cosines: Matrix
    private let sines: Matrix

    init(_ embedding: RotaryEmbedding, positionCount: Int) {
        let frequencies = embedding.frequencies(positionCount: positionCount)
        let factor = embedding.attentionFactor
        self.embedding = embedding
        cosines = Matrix(rows: positionCount, columns: frequencies.count)
        sines = Matrix(rows: positionCount, columns: frequencies.count)
        for position in 0..<positionCount {
            for (pair, frequency) in frequencies.enumerated() {
                let angle = Double(position) * frequency
                cosines[position, pair] = Float(cos(angle) * factor)
                sines[position, pair] = Float(sin(angle) * factor)
            }
        }
    }

    /// Rotates every head of one token's queries or keys: the first dimensions of each.
    func rotate(_ heads: UnsafeMutableBufferPointer<Float>, headSize: Int, position: Int) {
        guard let start = heads.baseAddress else { return }
        let (cosine, sine) = (cosines.pointer(toRow: position), sines.pointer(toRow: position))
        let pairs = embedding.dimensionCount / 2
        for head in stride(from: 0, to: heads.count, by: headSize) {
            switch embedding.pairing {
            case .halves:
                let (first, second) = (start + head, start + head + pairs)
                for pair in 0..<pairs {
                    let (a, b) = (first[pair], second[pair])
                    first[pair] = a * cosine[pair] - b * sine[pair]
                    second[pair] = b * cosine[pair] + a * sine[pair]
                }
            case .adjacent:
                let first = start + head
                for pair in 0..<pairs {
                    let (a, b) = (first[2 * pair], first[2 * pair + 1])
                    first[2 * pair] = a * cosine[pair] - b * sine[pair]
                    first[2 * pair + 1] = b * cosine[pair] + a * sine[pair]
                }
            }
        }
    }
}
