import Kernels
import Synchronization
import TensorIR

/// Digests of tensors whose bytes come in order.
struct RunningDigests: Sendable {
    private var current: (tensor: Int, stream: ContentDigest.Stream)?
    private var finished: [Int: [UInt8]] = [:]

    init() {}

    mutating func update(_ bytes: UnsafeRawBufferPointer, of tensor: Int) {
        if current?.tensor != tensor {
            finish()
            current = (tensor, ContentDigest.Stream())
        }
        current?.stream.update(bytes)
    }

    private mutating func finish() {
        if let current { finished[current.tensor] = current.stream.finish() }
        current = nil
    }

    /// - Precondition: all bytes of the tensor have come.
    mutating func digest(of tensor: Int) -> [UInt8] {
        if current?.tensor == tensor { finish() }
        return finished[tensor] ?? ContentDigest.Stream().finish()
    }
}

/// Places for results, each written by one thread.
final class Slots<Element: Sendable>: Sendable {
    private let elements: Mutex<[Element?]>

    init(count: Int) { elements = Mutex([Element?](repeating: nil, count: count)) }

    subscript(index: Int) -> Element? {
        get { elements.withLock { $0[index] } }
        set { elements.withLock { $0[index] = newValue } }
    }
}

extension Checkpoint {
    /// The digest of all tensors, 32 bytes; see `ContentDigest.ofTensors`.
    package func tensorDigest(
        _ workers: Workers, progress: @Sendable (Int) -> Void = { _ in }
    ) throws -> [UInt8] {
        let digests = Slots<[UInt8]>(count: tensors.count)
        try workers.forEach(tensors.count) {
            digests[$0] = try tensors[$0].digest(progress: progress)
        }
        return ContentDigest.ofTensors(
            tensors.indices.map { (tensors[$0].descriptor, digests[$0] ?? []) })
    }
}

extension TensorSource {
    /// The SHA-256 of all bytes, a few megabytes of which are in memory at a time.
    package func digest(
        progress: (Int) -> Void = { _ in }
    ) throws -> [UInt8] {
        var stream = ContentDigest.Stream()
        if let pieces = self as? any PiecewiseTensor {
            for piece in 0..<pieces.pieceCount {
                try pieces.withPiece(piece) { bytes, _ in
                    stream.update(bytes)
                    progress(bytes.count)
                }
            }
            return stream.finish()
        }
        var start = 0
        while start < descriptor.byteCount {
            let end = start + min(1 << 22, descriptor.byteCount - start)
            try withBytes(start..<end) { stream.update($0) }
            (self as? MappedTensor)?.release(start..<end)
            progress(end - start)
            start = end
        }
        return stream.finish()
    }
}
